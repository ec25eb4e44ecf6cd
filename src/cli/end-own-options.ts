import type { Command, Option } from 'commander';

/** Commands that take the name of a container, and then a program with arguments of its own. */
const RUNNING = ['exec', 'run'];

/**
 * The words of a command line as commander is to read them: what follows the program of `exec` and `run` is the program's, options
 * too, as with ssh, docker and podman. Where `--` stands before the first of these options, it is the end of berth's.
 */
export function endOwnOptions(args: readonly string[], program: Command): readonly string[] {
  const at = findProgramWord(args, program);
  if (at === undefined) return args;
  const first = args.slice(at).find((word) => word.startsWith('-'));
  if (first === undefined || first === '--') return args;
  return [...args.slice(0, at), '--', ...args.slice(at)];
}

/** Where the program stands; undefined where there is none, or `--` is before it. */
function findProgramWord(args: readonly string[], program: Command): number | undefined {
  let command: Command | undefined;
  let hasName = false;
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? '';
    if (word === '--') return undefined;
    if (word.startsWith('-')) {
      const options = [...program.options, ...(command?.options ?? [])];
      if (takesNextWord(word, options)) at += 1;
    } else if (command === undefined) {
      command = program.commands.find((known) => known.name() === word);
      if (command === undefined || !RUNNING.includes(word)) return undefined;
    } else if (hasName) return at;
    else hasName = true;
  }
  return undefined;
}

/** Whether the word after an option is its value: of short ones in one word (`-tu 33`) that of the last. */
function takesNextWord(word: string, options: readonly Option[]): boolean {
  const takesValue = (flag: string): boolean =>
    options.find(({ long, short }) => long === flag || short === flag)?.required === true;
  if (word.startsWith('--')) return takesValue(word);
  for (let at = 1; at < word.length; at++)
    if (takesValue(`-${word.charAt(at)}`)) return at === word.length - 1;
  return false;
}
