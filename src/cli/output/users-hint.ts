/**
 * A hint as it is for who typed `--user`: the commands in it take it, too. Hints are written where nobody knows of the command line.
 */
export function usersHint(hint: string, user: boolean | undefined): string {
  if (user !== true) return hint;
  return hint
    .replace(/'berth (?=[a-z])/g, "'berth --user ")
    .replace(/\bsystemctl (?=[a-z])/g, 'systemctl --user ');
}
