import type { TmpfilesEntry } from './tmpfiles-text.js';

/** One step of taking away what tmpfiles lines made. */
export type TmpfilesRemovalStep =
  | { readonly kind: 'remove-directory-if-empty'; readonly path: string }
  | {
      readonly kind: 'remove-link-if-unchanged';
      readonly path: string;
      /** Where the line made it lead. */
      readonly target: string;
    }
  | {
      readonly kind: 'remove-file-if-unchanged';
      readonly path: string;
      /** What the line wrote. */
      readonly content: string;
    };

/**
 * What uninstalling may take away of what tmpfiles lines made. `systemd-tmpfiles --remove` is not used: it removes what
 * the lines name, whoever put it there. Here a path counts only if it was not there before the installation (`created`,
 * with the parents that came with it), a directory goes only when it is empty, a link or file only as it was made.
 * Deepest first.
 */
export function planTmpfilesRemoval(
  entries: readonly TmpfilesEntry[],
  created: readonly string[],
): readonly TmpfilesRemovalStep[] {
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  return [...new Set(created)]
    .sort(
      (left, right) => right.split('/').length - left.split('/').length || (left < right ? 1 : -1),
    )
    .flatMap((path): TmpfilesRemovalStep[] => {
      const entry = byPath.get(path);
      switch (entry?.type) {
        case 'L':
          return [{ kind: 'remove-link-if-unchanged', path, target: entry.argument }];
        case 'f':
        case 'F':
          return [{ kind: 'remove-file-if-unchanged', path, content: entry.argument }];
        case undefined: // a parent that was made with what is below it
        case 'd':
        case 'D':
        case 'e':
        case 'v':
        case 'q':
        case 'Q':
          return [{ kind: 'remove-directory-if-empty', path }];
        default: // copied volumes, FIFOs: data, which stays unless it is purged
          return [];
      }
    });
}
