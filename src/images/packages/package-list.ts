/*
 * The package databases of images, read without the tools that own them. They are foreign data: each parser has limits, and
 * what it cannot read it says by name, so that "no packages changed" is never said of a database that was not understood.
 */

/** Packages that are read of one database: Debian has 70,000 in all. */
export const MAX_PACKAGES = 100_000;

/** Longest name, version or architecture; the longest in Debian has 80 characters. */
export const MAX_FIELD_CHARACTERS = 512;

/** Largest database file: an rpm database of 3,000 packages has 60 MiB, Debian's of 5,000 has 8 MiB. */
export const MAX_DATABASE_BYTES = 256 * 1024 * 1024;

/** An installed package. */
export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/** What {@link readPackages} found. */
export interface PackageList {
  /** Sorted by name, architecture and version. */
  readonly packages: readonly InstalledPackage[];
  /** The databases that were read, in words: `dpkg`, `rpm (sqlite)`. */
  readonly read: readonly string[];
  /** Those that are there and could not be read, with the reason. */
  readonly unread: readonly string[];
}

/** A database that is not what its format says; the message says why. Not an error of berth: it is reported, never thrown on. */
export class DatabaseUnreadable extends Error {
  override readonly name = 'DatabaseUnreadable';
}
