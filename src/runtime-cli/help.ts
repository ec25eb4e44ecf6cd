import type { RuntimeCommand } from './runtime-command.js';

/** Every command: what stands behind its options, and what it does. */
const SUMMARIES = {
  create: ['ID', 'create a container; its process waits'],
  start: ['ID', 'start the process of a created container'],
  run: ['ID', 'create, start, wait, delete'],
  exec: ['ID COMMAND…', 'run a program in a running container'],
  state: ['ID', 'print the state of a container'],
  kill: ['ID [SIGNAL]', 'send a signal to the process of a container'],
  delete: ['ID', 'release what a stopped container holds'],
  list: ['', 'list containers'],
  ps: ['ID [PS OPTIONS]', 'list the processes of a container'],
  pause: ['ID', 'freeze the processes of a container'],
  resume: ['ID', 'let them go on'],
  update: ['ID', 'change the limits of a container'],
  events: ['ID', 'print statistics, and when memory runs out'],
  spec: ['', 'write a config.json to begin with'],
  features: ['', 'print what this runtime can do'],
} as const satisfies Readonly<Record<string, readonly [args: string, summary: string]>>;

/** The name of a command. */
export type CommandName = keyof typeof SUMMARIES;

/** All names, in the order of a container's life. */
export const COMMAND_NAMES = Object.keys(SUMMARIES) as readonly CommandName[];

/** What `--help` prints. */
export function formatHelp(): string {
  const width = Math.max(...COMMAND_NAMES.map((name) => name.length));
  const rows = COMMAND_NAMES.map((name) => `  ${name.padEnd(width)} ${SUMMARIES[name][1]}\n`);
  return `berth-runtime: an OCI runtime (runtime-spec 1.2)

usage: berth-runtime [--root DIR] [--log FILE] [--log-format text|json] [--debug]
                     [--systemd-cgroup] [--cgroup-manager systemd|cgroupfs|disabled]
                     COMMAND [OPTIONS] [ID]

${rows.join('')}
berth-runtime COMMAND --help lists the options of one; berth-runtime(8) explains them.

example: berth-runtime run --bundle /srv/box box
`;
}

/** What `COMMAND --help` prints. */
export function formatCommandHelp(name: CommandName, command: RuntimeCommand): string {
  const [args, summary] = SUMMARIES[name];
  const short = new Map(Object.entries(command.aliases ?? {}).map(([alias, of]) => [of, alias]));
  const rows = Object.entries(command.options).map(([option, kind]) => {
    const alias = short.get(option);
    const value = kind === 'flag' ? '' : ' VALUE';
    const often = kind === 'values' ? ' (may be repeated)' : '';
    return `  ${alias === undefined ? '    ' : `-${alias}, `}--${option}${value}${often}\n`;
  });
  const words = ['berth-runtime', name, ...(rows.length === 0 ? [] : ['[OPTIONS]']), args];
  return `usage: ${words.filter((word) => word !== '').join(' ')}\n\n${summary}\n${rows.length === 0 ? '' : '\n'}${rows.join('')}`;
}
