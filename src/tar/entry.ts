/** What an entry of an archive is, in berth's words. */
export type TarEntryType =
  'file' | 'directory' | 'symlink' | 'hardlink' | 'character-device' | 'block-device' | 'fifo';

/** One entry, all headers that speak of it (PAX, GNU, ustar) put together. Nothing in it has been judged yet. */
export interface TarEntry {
  readonly type: TarEntryType;
  /** Byte string as archived: may be absolute and hold `..`. Never empty, no NUL. */
  readonly path: string;
  /** Target of a link, byte string; empty for everything else. */
  readonly link: string;
  /** Permission bits, 0–07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content that follow; 0 for everything but files. */
  readonly size: number;
  /** Clamped to what file systems keep. */
  readonly mtimeSeconds: number;
  /** 0–999,999,999. */
  readonly mtimeNanoseconds: number;
  /** 0 unless it is a device. */
  readonly major: number;
  readonly minor: number;
  /** Sorted by name, each name once. */
  readonly xattrs: readonly TarXattr[];
}

/** One extended attribute of an entry. */
export interface TarXattr {
  /** Byte string. */
  readonly name: string;
  readonly value: Buffer;
}

/** Who receives what {@link TarParser} finds. Calls are synchronous and in archive order. */
export interface TarHandler {
  /** A new entry. Content calls follow for files only. */
  entry(entry: TarEntry): void;
  /** A piece of the content of the last entry; the bytes are valid during the call only. */
  content(chunk: Buffer): void;
  /** The content of the last file is complete; called for empty files too. */
  contentEnd(): void;
  /** Something odd that changes nothing. */
  warning(message: string): void;
}
