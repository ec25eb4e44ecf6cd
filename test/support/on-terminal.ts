import assert from 'node:assert/strict';

import type { CommandResult } from './run-command.js';

/** What a program on a terminal ended with, and what the terminal showed. */
export interface TerminalResult {
  readonly status: number;
  readonly shown: string;
}

/** A program, and what is typed: after each text that it shows, the next keys. */
export interface TerminalTalk {
  readonly argv: readonly string[];
  readonly dialogue: readonly (readonly [text: string, keys: string])[];
}

/**
 * Runs a program on a terminal of its own, of 33 rows and 77 columns, where `run` runs commands: on a host, as a user of one. It is
 * given a minute.
 */
export async function onTerminal(
  run: (argv: readonly string[]) => Promise<CommandResult>,
  { argv, dialogue }: TerminalTalk,
): Promise<TerminalResult> {
  const words = [JSON.stringify(argv), JSON.stringify(dialogue)];
  const result = await run([
    ...['timeout', '60', 'node', '--input-type=module', '-e', PROGRAM],
    ...words,
  ]);
  assert.equal(result.status, 0, result.stderr + result.stdout);
  return JSON.parse(result.stdout) as TerminalResult;
}

const PROGRAM = `
    import { spawn } from 'node:child_process';
    import { closeSync, read, writeSync } from 'node:fs';
    import { openPseudoTerminal, setTerminalSize } from '/opt/berth/dist/src/sys/terminal.js';
    const [args, dialogue] = process.argv.slice(1).map((text) => JSON.parse(text));
    const { master, slave } = openPseudoTerminal();
    setTerminalSize(master, { rows: 33, columns: 77 });
    const child = spawn('setsid', ['--ctty', '--wait', ...args], { stdio: [slave, slave, slave] });
    closeSync(slave);
    let shown = '';
    let from = 0;
    const buffer = Buffer.alloc(65536);
    let isRead;
    const allRead = new Promise((resolve) => { isRead = resolve; });
    const next = () => read(master, buffer, 0, buffer.length, null, (error, length) => {
      // EIO: nobody has the terminal any more, and what was written to it was read.
      if (error !== null || length === 0) return isRead();
      shown += buffer.toString('utf8', 0, length);
      while (dialogue.length > 0 && shown.indexOf(dialogue[0][0], from) >= 0) {
        const [text, keys] = dialogue.shift();
        from = shown.indexOf(text, from) + text.length;
        writeSync(master, keys);
      }
      next();
    });
    next();
    child.on('close', (status) => void allRead.then(() => console.log(JSON.stringify({ status, shown }))));`;
