import type { Command } from 'commander';

import type { CommonOptions } from './context.js';
import { commandNameIn } from './program.js';

/** The words of a command line that may be options of berth: none that stands behind `--` is. */
export function ownWords(args: readonly string[]): readonly string[] {
  const end = args.indexOf('--');
  return end === -1 ? args : args.slice(0, end);
}

/** The command that was typed, with its group: `images delete`; undefined where it is none of berth's. */
export function findCommandPath(words: readonly string[], program: Command): string | undefined {
  const name = commandNameIn(words, program);
  const command = program.commands.find((known) => known.name() === name);
  if (command === undefined) return undefined;
  const names = command.commands.map((sub) => sub.name());
  const sub = words.slice(words.indexOf(command.name()) + 1).find((word) => names.includes(word));
  return [command.name(), ...(sub === undefined ? [] : [sub])].join(' ');
}

/** Whose containers are meant, by the words alone: they may not have been parsed. */
export function readPlace(words: readonly string[]): Pick<CommonOptions, 'user' | 'root'> {
  const at = words.findLastIndex((word) => word === '--root' || word.startsWith('--root='));
  const word = words[at];
  const root = word === '--root' ? words[at + 1] : word?.slice('--root='.length);
  return { user: words.includes('--user'), ...(root === undefined ? {} : { root }) };
}
