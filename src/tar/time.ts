/**
 * Times outside are clamped, not refused: a time decides nothing. ext4 keeps -2^31 … 2^34 + 2^31 (inode.rst, "Inode
 * Timestamps"), XFS and btrfs more; a time that the file system would clamp by itself would look like damage later.
 */
const EARLIEST_SECONDS = -(2 ** 31);
const LATEST_SECONDS = 0x3_7fff_ffff;

/** A modification time as an entry has it. */
export interface EntryTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Whole seconds as time; what is missing is the epoch. */
export function timeOfSeconds(seconds: number | undefined): EntryTime {
  if (seconds === undefined) return { seconds: 0, nanoseconds: 0 };
  if (seconds < EARLIEST_SECONDS) return { seconds: EARLIEST_SECONDS, nanoseconds: 0 };
  if (seconds > LATEST_SECONDS) return { seconds: LATEST_SECONDS, nanoseconds: 0 };
  return { seconds, nanoseconds: 0 };
}

/**
 * A PAX time: decimal seconds with an optional fraction, cut (not rounded) at the nanosecond towards the past. Undefined
 * if it does not even begin as a number.
 */
export function parsePaxTime(text: string): EntryTime | undefined {
  const match = /^(-?)(\d{1,400})(?:\.(\d*))?/.exec(text);
  if (match === null) return undefined;
  const whole = Number(match[2]);
  const nanoseconds = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  const negative = match[1] === '-';
  const seconds = negative ? -whole - (nanoseconds > 0 ? 1 : 0) : whole;
  const clamped = timeOfSeconds(seconds);
  if (clamped.seconds !== seconds) return clamped;
  return { seconds, nanoseconds: negative && nanoseconds > 0 ? 1e9 - nanoseconds : nanoseconds };
}
