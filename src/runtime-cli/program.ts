import { quote } from '../base/escape-text.js';
import { suggestName } from '../base/suggest-name.js';
import type { ConfinedCaller } from '../runtime/confined-caller.js';
import { COMMAND_NAMES, formatCommandHelp, formatHelp, type CommandName } from './help.js';
import { parseArguments, usage, type OptionTable } from './parse-arguments.js';
import { reportFailure, type LogOptions } from './report.js';
import type { RuntimeCommand } from './runtime-command.js';
import { defaultRoot, type RuntimeContext } from './runtime-context.js';

/**
 * `berth-runtime`: an OCI runtime with runc's command line (runtime-tools docs/command-line-interface.md). Each command is
 * loaded when it is called: engines call several for each container, and start-up is most of what a call costs.
 */
const COMMANDS: Readonly<Record<CommandName, () => Promise<RuntimeCommand>>> = {
  create: async () => (await import('./commands-life.js')).create,
  run: async () => (await import('./commands-life.js')).run,
  start: async () => (await import('./commands-life.js')).start,
  delete: async () => (await import('./commands-life.js')).remove,
  exec: async () => (await import('./command-exec.js')).exec,
  state: async () => (await import('./commands-look.js')).state,
  list: async () => (await import('./commands-look.js')).list,
  ps: async () => (await import('./commands-look.js')).ps,
  kill: async () => (await import('./commands-change.js')).kill,
  pause: async () => (await import('./commands-change.js')).pause,
  resume: async () => (await import('./commands-change.js')).resume,
  update: async () => (await import('./command-update.js')).update,
  events: async () => (await import('./command-events.js')).events,
  spec: async () => (await import('./command-spec.js')).spec,
  features: async () => (await import('./command-features.js')).features,
};

/** runc's commands that are not here, beside those that are no part of a container's life. */
const NOT_DONE: ReadonlySet<string> = new Set(['checkpoint', 'restore']);

const GLOBAL_OPTIONS: OptionTable = {
  root: 'value',
  log: 'value',
  'log-format': 'value',
  'log-level': 'value',
  debug: 'flag',
  'systemd-cgroup': 'flag',
  // Whether the user namespace is the caller's is seen from the ids; criu is not run.
  rootless: 'value',
  criu: 'value',
  'cgroup-manager': 'value',
  help: 'flag',
  version: 'flag',
};

/** What the program is run with. */
export interface RuntimeProcess {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Who calls; undefined is root of the host. */
  caller(): ConfinedCaller | undefined;
  readonly cwd: string;
  /** berth's own; asked for where it is printed. */
  version(): string;
  print(text: string): void;
}

/** Runs the command line and gives the status to exit with: 1 for any failure, as runc's callers expect. */
export async function runRuntime(process: RuntimeProcess): Promise<number> {
  let log: LogOptions = { path: undefined, format: 'text', debug: false };
  try {
    const global = parseArguments(process.argv.slice(2), GLOBAL_OPTIONS, {
      h: 'help',
      v: 'version',
    });
    log = {
      path: emptyAsAbsent(global.value('log')),
      format: parseFormat(global.value('log-format')),
      debug: global.has('debug') || global.value('log-level') === 'debug',
    };
    if (global.has('version')) {
      process.print(`berth-runtime version ${process.version()}\nspec: 1.2.0\n`);
      return 0;
    }
    const [name, ...words] = global.rest;
    if (global.has('help') || name === 'help') {
      process.print(formatHelp());
      return 0;
    }
    if (name === undefined) usage('no command was given; see berth-runtime --help');
    if (NOT_DONE.has(name)) usage(`berth-runtime does not ${name} containers`);
    const known = COMMAND_NAMES.find((one) => one === name);
    if (known === undefined) usage(`there is no command ${quote(name)}${meant(name)}`);
    const command = await COMMANDS[known]();
    const args = parseArguments(
      words,
      { ...command.options, help: 'flag' },
      { ...command.aliases, h: 'help' },
    );
    if (args.has('help')) {
      process.print(formatCommandHelp(known, command));
      return 0;
    }
    const { env, cwd } = process;
    const caller = process.caller();
    const context: RuntimeContext = {
      root: emptyAsAbsent(global.value('root')) ?? defaultRoot({ env, caller }),
      log,
      systemdCgroup: global.has('systemd-cgroup') || global.value('cgroup-manager') === 'systemd',
      withoutCgroup: global.value('cgroup-manager') === 'disabled',
      caller,
      env,
      cwd,
    };
    return await command.run(context, args);
  } catch (error) {
    reportFailure(log, error);
    return 1;
  }
}

function meant(name: string): string {
  const near = suggestName(name, COMMAND_NAMES);
  return near === undefined ? '; see berth-runtime --help' : `; did you mean '${near}'?`;
}

function parseFormat(text: string | undefined): LogOptions['format'] {
  const format = text ?? 'text';
  if (format !== 'text' && format !== 'json') usage(`unknown log-format ${quote(format)}`);
  return format;
}

function emptyAsAbsent(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
