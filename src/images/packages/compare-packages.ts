import type { InstalledPackage, PackageList } from './package-list.js';

/** A package that two images do not both have in the same versions. */
export interface PackageDifference {
  /** With `:ARCHITECTURE` where the name alone stands for several. */
  readonly name: string;
  /** Several where several are installed side by side (kernels, gpg-pubkey); empty where it is missing. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** How the packages of two images differ. */
export interface PackagesDifference {
  readonly changes: readonly PackageDifference[];
  /** Databases of either side that were there and not read: their packages are not compared. */
  readonly unread: readonly string[];
  readonly countBefore: number;
  readonly countAfter: number;
}

/** Compares what {@link readPackages} found in two images. */
export function comparePackages(before: PackageList, after: PackageList): PackagesDifference {
  const several = namesOfSeveral(before, after);
  const old = versionsByName(before.packages, several);
  const now = versionsByName(after.packages, several);
  const changes: PackageDifference[] = [];
  for (const name of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const was = old.get(name) ?? [];
    const is = now.get(name) ?? [];
    if (was.join('\0') !== is.join('\0')) changes.push({ name, before: was, after: is });
  }
  return {
    changes,
    unread: [...new Set([...before.unread, ...after.unread])],
    countBefore: before.packages.length,
    countAfter: after.packages.length,
  };
}

/** Names that are installed for several architectures on either side. */
function namesOfSeveral(...lists: readonly PackageList[]): ReadonlySet<string> {
  const several = new Set<string>();
  for (const { packages } of lists) {
    const seen = new Map<string, string>();
    for (const { name, architecture } of packages) {
      if ((seen.get(name) ?? architecture) !== architecture) several.add(name);
      seen.set(name, architecture);
    }
  }
  return several;
}

function versionsByName(
  packages: readonly InstalledPackage[],
  several: ReadonlySet<string>,
): ReadonlyMap<string, readonly string[]> {
  const versions = new Map<string, string[]>();
  for (const { name, architecture, version } of packages) {
    const key = several.has(name) ? `${name}:${architecture}` : name;
    const known = versions.get(key);
    if (known === undefined) versions.set(key, [version]);
    else known.push(version);
  }
  return versions;
}
