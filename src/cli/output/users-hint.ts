/**
 * A hint as it is for who typed `--user`: the commands in it take it, too. Hints are written where nobody knows of the command line.
 */
export function usersHint(hint: string, user: boolean | undefined): string {
  if (user !== true) return hint;
  // A home of root's or of another user's is no reason to become root.
  if (hint === 'run berth as root')
    return "look whose it is, and at HOME and XDG_*: they may be another user's";
  return hint
    .replace(/'berth (?=[a-z])/g, "'berth --user ")
    .replace(/\bsystemctl (?=[a-z])/g, 'systemctl --user ');
}
