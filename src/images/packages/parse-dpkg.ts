import {
  DatabaseUnreadable,
  MAX_FIELD_CHARACTERS,
  MAX_PACKAGES,
  type InstalledPackage,
} from './package-list.js';

/**
 * Parses `/var/lib/dpkg/status` (deb-status paragraphs, dpkg 1.20) or a file of `status.d`, where there is one package a file
 * and no `Status`. Packages of which only configuration files are left do not count.
 *
 * @throws {@link DatabaseUnreadable}
 */
export function parseDpkgStatus(text: string): InstalledPackage[] {
  const packages: InstalledPackage[] = [];
  for (const paragraph of text.split(/\n[\t ]*\n/)) {
    const name = field(paragraph, 'Package');
    if (name === undefined) {
      if (paragraph.trim() === '') continue;
      throw new DatabaseUnreadable('a paragraph without a package');
    }
    const status = field(paragraph, 'Status');
    if (status !== undefined && !status.endsWith(' installed')) continue;
    if (packages.length >= MAX_PACKAGES)
      throw new DatabaseUnreadable(`more than ${MAX_PACKAGES} packages`);
    packages.push({
      name,
      version: field(paragraph, 'Version') ?? '',
      architecture: field(paragraph, 'Architecture') ?? '',
    });
  }
  return packages;
}

/** The value of a field; by search and not by a pattern made of it, and only where a line begins. */
function field(paragraph: string, name: string): string | undefined {
  const start = paragraph.startsWith(`${name}:`) ? 0 : paragraph.indexOf(`\n${name}:`);
  if (start < 0) return undefined;
  const from = paragraph.indexOf(':', start) + 1;
  const end = paragraph.indexOf('\n', from);
  const value = paragraph.slice(from, end < 0 ? undefined : end).trim();
  if (value.length > MAX_FIELD_CHARACTERS)
    throw new DatabaseUnreadable(`a ${name} of ${value.length} characters`);
  return value;
}
