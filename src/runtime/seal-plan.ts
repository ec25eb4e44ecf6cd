import { OperationalError } from '../errors/operational-error.js';
import { PLAN_ROOT } from './compile-launch-plan.js';
import { NAMESPACE_FLAGS } from './compile-namespaces.js';
import { encodeInstruction, INSTRUCTIONS, joinPlan, splitPlan } from './plan-format.js';

/** A root that is mounted from an image of names and the objects with the content of its files. */
export interface SealedRootSource {
  /** Paths on the host at run time: of the composefs image, and of the folder that it names objects in. */
  readonly image: string;
  readonly objects: string;
  /** What fs-verity has to measure of the image, SHA-256. */
  readonly digest: Uint8Array;
}

/** `struct fsverity_digest` of linux/fsverity.h: the algorithm (1 is SHA-256), the length, the digest. */
function encodeSeal(digest: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([1, 0, digest.length, 0]), digest]);
}

/**
 * The plan of a container with a sealed root in place of the directory that it names. All else stays: a volatile root lies over the
 * sealed one, and owners are mapped where they were, of the image's names.
 *
 * @throws {@link OperationalError} RUNTIME_UNSUPPORTED for a container that has no mount namespace of its own, which only joins one, or is
 * not root's; CONTAINER_STATE_INVALID if the plan is damaged
 */
export function sealPlan(plan: Buffer, source: SealedRootSource): Buffer {
  const own = splitPlan(plan);
  const joinsMounts = own.some(
    ({ op, body }) => op === INSTRUCTIONS.JOIN.op && body.readUInt32LE(0) === NAMESPACE_FLAGS.mount,
  );
  const placed = own.some(
    ({ op }) => op === INSTRUCTIONS.PLACE.op || op === INSTRUCTIONS.ROOT_FIRST.op,
  );
  if (joinsMounts || placed) {
    throw new OperationalError(
      'RUNTIME_UNSUPPORTED',
      'a sealed root is mounted by root, in a mount namespace that is made for the container',
    );
  }
  return joinPlan(
    own.flatMap((instruction) => {
      if (instruction.op !== INSTRUCTIONS.ROOT.op) return [instruction];
      const body = Buffer.from(instruction.body);
      const flagsAt = body.length - 4;
      const flags = body.readUInt32LE(flagsAt);
      body.writeUInt32LE(flags & ~PLAN_ROOT.idmapped, flagsAt);
      const sealed = encodeInstruction([
        'SEALED_ROOT',
        source.image,
        source.objects,
        encodeSeal(source.digest),
        flags & PLAN_ROOT.idmapped,
      ]);
      return [sealed, { op: instruction.op, body }];
    }),
  );
}

/**
 * A plan that does with the root of a container all that its own does, and then runs what cannot be run: the launcher ends with the
 * status of that (203) where the root can be mounted on this host.
 */
export function compileRootTrial(plan: Buffer): Buffer {
  const kept = new Set<number>([
    INSTRUCTIONS.NAME.op,
    INSTRUCTIONS.USER_NAMESPACE.op,
    INSTRUCTIONS.UNSHARE.op,
    INSTRUCTIONS.ROOT_FIRST.op,
    INSTRUCTIONS.SEALED_ROOT.op,
    INSTRUCTIONS.ROOT.op,
    INSTRUCTIONS.VOLATILE_ROOT.op,
    INSTRUCTIONS.PIVOT.op,
  ]);
  return joinPlan([
    ...splitPlan(plan).filter(({ op }) => kept.has(op)),
    encodeInstruction(['ARGUMENT', '/']),
    encodeInstruction(['EXEC', 0, '']),
  ]);
}

/**
 * Whether a plan mounts the sealed root with this digest.
 *
 * @throws {@link OperationalError} CONTAINER_STATE_INVALID if it is damaged
 */
export function mountsSealedRoot(plan: Buffer, digest: Uint8Array): boolean {
  return splitPlan(plan).some(
    ({ op, body }) => op === INSTRUCTIONS.SEALED_ROOT.op && body.includes(encodeSeal(digest)),
  );
}
