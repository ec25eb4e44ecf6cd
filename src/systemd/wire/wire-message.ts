import { Variant } from './variant.js';
import { WireReader } from './wire-reader.js';
import { malformed } from './wire-type.js';
import { WireWriter } from './wire-writer.js';

/** Kinds of messages (D-Bus Specification, "Message Types"). */
export const MESSAGE = { call: 1, reply: 2, error: 3, signal: 4 } as const;

/** Largest message that may be on a bus (D-Bus Specification, "Message Format"). */
const MAX_MESSAGE_BYTES = 128 * 1024 * 1024;

/** What comes before the header's list of fields ends: enough to know how long a message is. */
export const PREFIX_BYTES = 16;

/** Numbers of header fields. */
const FIELD = {
  ...{ path: 1, interface: 2, member: 3, errorName: 4, replySerial: 5 },
  ...{ destination: 6, sender: 7, signature: 8 },
} as const;

/** A message that arrived. What it does not have is empty. */
export interface ArrivedMessage {
  readonly type: number;
  readonly replySerial: number;
  /** Written by the bus: nobody can take another's. */
  readonly sender: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly errorName: string;
  readonly body: readonly unknown[];
}

/** A call of a method, ready to be sent. */
export function encodeCall(call: {
  readonly serial: number;
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature: string;
  readonly body: readonly unknown[];
}): Buffer {
  const fields: [number, Variant][] = [
    [FIELD.path, new Variant('o', call.path)],
    [FIELD.interface, new Variant('s', call.interface)],
    [FIELD.member, new Variant('s', call.member)],
    [FIELD.destination, new Variant('s', call.destination)],
  ];
  if (call.signature !== '') fields.push([FIELD.signature, new Variant('g', call.signature)]);
  const writer = new WireWriter();
  const version = 1;
  writer.writeAll('yyyyuua(yv)', [
    'l'.charCodeAt(0),
    MESSAGE.call,
    0,
    version,
    0,
    call.serial,
    fields,
  ]);
  writer.align(8);
  const bodyAt = writer.bytes.length;
  writer.writeAll(call.signature, call.body);
  writer.patch(4, writer.bytes.length - bodyAt);
  return writer.bytes;
}

/** How long the message is that begins with these {@link PREFIX_BYTES}. @throws OperationalError SYSTEMD_PROTOCOL */
export function messageLength(prefix: Buffer): number {
  const little = isLittle(prefix);
  const read = (at: number): number => (little ? prefix.readUInt32LE(at) : prefix.readUInt32BE(at));
  const length = PREFIX_BYTES + Math.ceil(read(12) / 8) * 8 + read(4);
  if (length > MAX_MESSAGE_BYTES) throw malformed(`it says to have ${length} bytes`);
  return length;
}

/** Reads a whole message. @throws OperationalError SYSTEMD_PROTOCOL */
export function decodeMessage(bytes: Buffer): ArrivedMessage {
  const reader = new WireReader(bytes, { little: isLittle(bytes), at: PREFIX_BYTES - 4 });
  const [list] = reader.readAll('a(yv)');
  const fields = new Map(
    (list as [number, Variant][]).map(([field, variant]) => [field, variant.value]),
  );
  const text = (field: number): string => {
    const value = fields.get(field);
    return typeof value === 'string' ? value : '';
  };
  const replySerial = fields.get(FIELD.replySerial);
  reader.align(8);
  return {
    type: bytes.readUInt8(1),
    replySerial: typeof replySerial === 'number' ? replySerial : 0,
    sender: text(FIELD.sender),
    path: text(FIELD.path),
    interface: text(FIELD.interface),
    member: text(FIELD.member),
    errorName: text(FIELD.errorName),
    body: reader.readAll(text(FIELD.signature)),
  };
}

function isLittle(bytes: Buffer): boolean {
  const mark = String.fromCharCode(bytes.readUInt8(0));
  if (mark !== 'l' && mark !== 'B') throw malformed('it has no byte order');
  return mark === 'l';
}
