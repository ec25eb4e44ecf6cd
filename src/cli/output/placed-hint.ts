import type { CommonOptions } from '../context.js';

/** Whose containers a command is about: those of the system, of a user, or of a tree. */
export type Place = Pick<CommonOptions, 'user' | 'root'>;

/**
 * A hint as it is for who typed `--user` or `--root`: the commands in it take it, too, or they would be about other containers. Hints
 * are written where nobody knows of the command line.
 */
export function placedHint(hint: string, { user, root }: Place): string {
  if (hint === 'run berth as root' && user !== true)
    return root === undefined ? `${hint}, or with '--user' for services of your own` : hint;
  if (user === true) {
    // A home of root's or of another user's is no reason to become root.
    if (hint === 'run berth as root')
      return "look whose it is, and at HOME and XDG_*: they may be another user's";
    return withOption(hint, '--user')
      .replace(/'journalctl -u /g, "'journalctl --user-unit ")
      .replace(/\bsystemctl (?=[a-z])/g, 'systemctl --user ');
  }
  if (root === undefined) return hint;
  const folder = /^[\w@%+=:,./-]+$/.test(root) ? root : JSON.stringify(root);
  return withOption(hint, `--root ${folder}`).replace(
    /\bsystemctl (?=[a-z])/g,
    () => `systemctl --root=${folder} `,
  );
}

/** The help is the same everywhere. */
function withOption(hint: string, option: string): string {
  return hint.replace(/'berth (?=[a-z])(?![^']* --help')/g, () => `'berth ${option} `);
}
