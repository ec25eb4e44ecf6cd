import {
  DatabaseUnreadable,
  MAX_FIELD_CHARACTERS,
  MAX_PACKAGES,
  type InstalledPackage,
} from './package-list.js';

/**
 * Parses apk's `installed` (apk-tools 2): paragraphs of lines `P:name`, `V:version`, `A:architecture`, and others that say
 * nothing of the package as a whole.
 *
 * @throws {@link DatabaseUnreadable}
 */
export function parseApkInstalled(text: string): InstalledPackage[] {
  const packages: InstalledPackage[] = [];
  let fields = new Map<string, string>();
  const end = (): void => {
    if (fields.size === 0) return;
    const name = fields.get('P');
    if (name === undefined) throw new DatabaseUnreadable('a package without a name');
    if (packages.length >= MAX_PACKAGES)
      throw new DatabaseUnreadable(`more than ${MAX_PACKAGES} packages`);
    packages.push({
      name,
      version: fields.get('V') ?? '',
      architecture: fields.get('A') ?? '',
    });
    fields = new Map();
  };
  for (const line of text.split('\n')) {
    if (line === '') end();
    else if (line[1] !== ':') throw new DatabaseUnreadable('a line that is no field');
    else if ('PVA'.includes(line[0] ?? '')) {
      if (line.length > MAX_FIELD_CHARACTERS)
        throw new DatabaseUnreadable(`a field of ${line.length} characters`);
      // Capital letters begin the package; small ones and those of its files may come again.
      if (!fields.has(line[0] ?? '')) fields.set(line[0] ?? '', line.slice(2));
    }
  }
  end();
  return packages;
}
