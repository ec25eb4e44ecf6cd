import { OperationalError } from '../errors/operational-error.js';

/**
 * The launch plan: what the launcher reads. The C side is `launcher/ops.def` (the same table) and `launcher/plan.c`.
 *
 * ```
 * plan        = header instruction*
 * header      = "BERTHPLN" format:u32 length:u32 checksum:u32 count:u32
 * instruction = op:u32 size:u32 field*            size is that of its fields
 * field       = u: u32 | q: u64 | s, p, t, b, g, f: length:u32 bytes padding
 * ```
 * Numbers are little-endian. `length` of the header is that of the whole plan, `checksum` is FNV-1a (32 bits) over the
 * whole plan with the checksum's own bytes taken as 0: every single changed byte changes it. Texts end in one NUL, which
 * counts; padding is NULs up to a multiple of four. `p` is an absolute path of at most 4095 bytes; in a `t` the byte 0xFF
 * (never part of UTF-8) is a slot for the instance name. `g` and `f` are bytes of a known kind: group ids, a filter.
 *
 * Instructions stand in the order in which they are carried out: NAME first, what concerns the host before ROOT, mounts
 * between ROOT and PIVOT, the process after it, EXEC last. A plan that joins the namespaces of a container that runs
 * already has ENTER instead of ROOT to PIVOT, and STREAMS before it; ROOT_FIRST comes before both. The launcher checks all of it before it does any of it. A
 * format number names the table below: what an instruction means never changes, a new meaning is a new format.
 */
export const PLAN_FORMAT = 1;

/** Every instruction: its number, and the kinds of its fields. */
export const INSTRUCTIONS = {
  NAME: { op: 1, fields: 's' },
  STAMP: { op: 2, fields: 'pqq' },
  PID_FILE: { op: 3, fields: 'p' },
  USER_NAMESPACE: { op: 4, fields: 'ss' },
  JOIN: { op: 5, fields: 'up' },
  UNSHARE: { op: 6, fields: 'us' },
  HOST_DIRECTORY: { op: 7, fields: 'puuu' },
  ROOT: { op: 8, fields: 'pu' },
  VOLATILE_ROOT: { op: 9, fields: 's' },
  BIND: { op: 10, fields: 'tpuuuuuu' },
  FILE_SYSTEM: { op: 11, fields: 's' },
  OPTION: { op: 12, fields: 'ss' },
  MOUNT: { op: 13, fields: 'puu' },
  NODE: { op: 14, fields: 'puuuuus' },
  READ_ONLY_MOUNT: { op: 15, fields: 'p' },
  READ_ONLY_PATH: { op: 16, fields: 'p' },
  MASK: { op: 17, fields: 'p' },
  PIVOT: { op: 18, fields: 'u' },
  HOST_NAME: { op: 19, fields: 't' },
  DOMAIN_NAME: { op: 20, fields: 's' },
  LOOPBACK: { op: 21, fields: '' },
  PROC_WRITE: { op: 22, fields: 'sssu' },
  KEYRING: { op: 23, fields: 's' },
  RLIMIT: { op: 24, fields: 'uqq' },
  PERSONALITY: { op: 25, fields: 'u' },
  DIRECTORY: { op: 26, fields: 'p' },
  SECCOMP: { op: 27, fields: 'uf' },
  USER: { op: 28, fields: 'uuguq' },
  CAPABILITIES: { op: 29, fields: 'qqqqu' },
  ARGUMENT: { op: 30, fields: 't' },
  ENVIRONMENT: { op: 31, fields: 't' },
  EXEC: { op: 32, fields: 'us' },
  STREAMS: { op: 33, fields: 'uu' },
  ENTER: { op: 34, fields: 'p' },
  CONTROL: { op: 35, fields: 'uuu' },
  SYNC: { op: 36, fields: 's' },
  START: { op: 37, fields: 'ps' },
  TERMINAL: { op: 38, fields: 'uuuu' },
  SCHEDULE: { op: 40, fields: 'ubu' },
  IO_PRIORITY: { op: 41, fields: 'uuu' },
  AFFINITY: { op: 42, fields: 'uub' },
  MEMORY_POLICY: { op: 43, fields: 'ubu' },
  MAP_BIND: { op: 44, fields: 'ssu' },
  REMOUNT: { op: 45, fields: 'puu' },
  PLACE: { op: 46, fields: 'p' },
  ROOT_FIRST: { op: 47, fields: '' },
  SEALED_ROOT: { op: 48, fields: 'ppbu' },
  LABEL: { op: 49, fields: 'sss' },
  BOUND_NODE: { op: 50, fields: 'uuu' },
  BENEATH: { op: 51, fields: 't' },
} as const satisfies Record<string, { op: number; fields: string }>;

/** The name of an instruction. */
export type InstructionName = keyof typeof INSTRUCTIONS;

/** One instruction with the values of its fields: numbers for u and q, texts for s, p and t, bytes for the rest. */
export type Instruction = readonly [
  name: InstructionName,
  ...fields: readonly (number | bigint | string | Uint8Array)[],
];

const HEADER_BYTES = 24;
const CHECKSUM_AT = 16;
const SLOT = 0xff;

/** An instruction as it stands in a plan: its number, and its fields' bytes. */
export interface RawInstruction {
  readonly op: number;
  readonly body: Buffer;
}

/** Encodes instructions; each occurrence of `instanceMarker` in a text with slots becomes one. */
export function encodePlan(instructions: readonly Instruction[], instanceMarker?: string): Buffer {
  return joinPlan(
    instructions.map((instruction) => encodeInstruction(instruction, instanceMarker)),
  );
}

/** One instruction, to be joined with others by {@link joinPlan}. */
export function encodeInstruction(
  [name, ...values]: Instruction,
  instanceMarker?: string,
): RawInstruction {
  const { op, fields } = INSTRUCTIONS[name];
  if (values.length !== fields.length) throw new Error(`internal error: ${name} has other fields`);
  const encoded = values.map((value, index) =>
    encodeField(fields.charAt(index), value, instanceMarker),
  );
  return { op, body: Buffer.concat(encoded) };
}

/** A whole plan of instructions. */
export function joinPlan(instructions: readonly RawInstruction[]): Buffer {
  const bodies = instructions.map(({ op, body }) =>
    Buffer.concat([encodeWord(op), encodeWord(body.length), body]),
  );
  const plan = Buffer.concat([Buffer.alloc(HEADER_BYTES), ...bodies]);
  plan.write('BERTHPLN', 'latin1');
  plan.writeUInt32LE(PLAN_FORMAT, 8);
  plan.writeUInt32LE(plan.length, 12);
  plan.writeUInt32LE(instructions.length, 20);
  plan.writeUInt32LE(planChecksum(plan), CHECKSUM_AT);
  return plan;
}

/**
 * Takes a plan apart.
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID if it is damaged
 */
export function splitPlan(plan: Buffer): readonly RawInstruction[] {
  const isWhole =
    plan.length >= HEADER_BYTES &&
    plan.toString('latin1', 0, 8) === 'BERTHPLN' &&
    plan.readUInt32LE(8) === PLAN_FORMAT &&
    plan.readUInt32LE(12) === plan.length &&
    plan.readUInt32LE(CHECKSUM_AT) === planChecksum(plan);
  const instructions: RawInstruction[] = [];
  for (let at = HEADER_BYTES; isWhole && at + 8 <= plan.length;) {
    const end = at + 8 + plan.readUInt32LE(at + 4);
    instructions.push({ op: plan.readUInt32LE(at), body: plan.subarray(at + 8, end) });
    at = end;
  }
  if (isWhole && instructions.length === plan.readUInt32LE(20)) return instructions;
  throw new OperationalError('CONTAINER_STATE_INVALID', 'the launch plan is damaged');
}

/** The text field that begins at an offset of an instruction's fields. */
export function readTextField(body: Buffer, offset: number): string {
  const length = body.readUInt32LE(offset);
  return body.toString('utf8', offset + 4, offset + 4 + length - 1);
}

/** The checksum of a plan: FNV-1a, the checksum's own four bytes taken as 0. */
export function planChecksum(plan: Uint8Array): number {
  let hash = 2166136261;
  for (const [index, byte] of plan.entries()) {
    const value = index >= CHECKSUM_AT && index < CHECKSUM_AT + 4 ? 0 : byte;
    hash = Math.imul(hash ^ value, 16777619) >>> 0;
  }
  return hash;
}

function encodeField(
  kind: string,
  value: number | bigint | string | Uint8Array,
  instanceMarker: string | undefined,
): Buffer {
  switch (kind) {
    case 'u':
      return encodeWord(Number(value));
    case 'q': {
      const field = Buffer.alloc(8);
      field.writeBigUInt64LE(BigInt(value as number | bigint));
      return field;
    }
    case 'b':
    case 'g':
    case 'f':
      return encodeBytes(Buffer.from(value as Uint8Array));
    case 't':
      return encodeBytes(encodeSlots(String(value), instanceMarker));
    default:
      return encodeBytes(Buffer.from(`${String(value)}\0`));
  }
}

function encodeSlots(text: string, instanceMarker: string | undefined): Buffer {
  const parts = instanceMarker === undefined ? [text] : text.split(instanceMarker);
  return Buffer.concat([
    ...parts.flatMap((part, index) =>
      index === 0 ? [Buffer.from(part)] : [Buffer.from([SLOT]), Buffer.from(part)],
    ),
    Buffer.from([0]),
  ]);
}

function encodeBytes(bytes: Buffer): Buffer {
  const padding = Buffer.alloc((4 - (bytes.length % 4)) % 4);
  return Buffer.concat([encodeWord(bytes.length), bytes, padding]);
}

function encodeWord(value: number): Buffer {
  const word = Buffer.alloc(4);
  word.writeUInt32LE(value);
  return word;
}
