/** What an archive may ask of the reader. */
export interface TarLimits {
  /** Headers of all kinds, extended ones included. */
  readonly maxHeaders: number;
  /** Bytes of one extended header: PAX records or a long name. */
  readonly maxExtendedBytes: number;
  /** Records in one PAX header. */
  readonly maxPaxRecords: number;
}

/** The limits that hold where nobody says else. */
export const DEFAULT_TAR_LIMITS: TarLimits = {
  // A million entries, each with a PAX header: the largest images in the field have some 300,000.
  maxHeaders: 2_000_000,
  // The kernel takes 64 KiB in one extended attribute; a few of those and two paths fit.
  maxExtendedBytes: 1024 * 1024,
  // Real headers have under 30; each costs a table entry here.
  maxPaxRecords: 4096,
};
