import type { Command } from 'commander';

import type { CliContext } from './context.js';

/** A command by its name, and how its file is loaded. */
type CommandEntry = readonly [name: string, load: () => Promise<(context: CliContext) => Command>];

/** A command that passes a verb on to systemd. */
function unitVerb(verb: 'start' | 'stop' | 'restart'): CommandEntry {
  return [
    verb,
    async () => {
      const { unitVerbCommand } = await import('./commands/unit-verb.js');
      return (context) => unitVerbCommand(verb, context);
    },
  ];
}

/** In the order of the help. */
const COMMANDS: readonly CommandEntry[] = [
  ['install', async () => (await import('./commands/install.js')).installCommand],
  ['uninstall', async () => (await import('./commands/uninstall.js')).uninstallCommand],
  ['adopt', async () => (await import('./commands/adopt.js')).adoptCommand],
  ['update', async () => (await import('./commands/update.js')).updateCommand],
  ['rollback', async () => (await import('./commands/rollback.js')).rollbackCommand],
  ['history', async () => (await import('./commands/history.js')).historyCommand],
  ['pin', async () => (await import('./commands/pin.js')).pinCommand],
  ['sets', async () => (await import('./commands/sets.js')).setsCommand],
  unitVerb('start'),
  unitVerb('stop'),
  unitVerb('restart'),
  ['list', async () => (await import('./commands/list.js')).listCommand],
  ['status', async () => (await import('./commands/status.js')).statusCommand],
  ['info', async () => (await import('./commands/info.js')).infoCommand],
  ['pull', async () => (await import('./commands/pull.js')).pullCommand],
  ['copy', async () => (await import('./commands/copy.js')).copyCommand],
  ['push', async () => (await import('./commands/copy.js')).pushCommand],
  ['inspect', async () => (await import('./commands/inspect.js')).inspectCommand],
  ['tags', async () => (await import('./commands/tags.js')).tagsCommand],
  ['login', async () => (await import('./commands/login.js')).loginCommand],
  ['logout', async () => (await import('./commands/login.js')).logoutCommand],
  ['images', async () => (await import('./commands/images.js')).imagesCommand],
  ['containers', async () => (await import('./commands/list.js')).containersCommand],
  ['apply', async () => (await import('./commands/apply.js')).applyCommand],
  ['diff', async () => (await import('./commands/diff.js')).diffCommand],
  ['fsck', async () => (await import('./commands/fsck.js')).fsckCommand],
  ['verify', async () => (await import('./commands/verify.js')).verifyCommand],
  ['graph', async () => (await import('./commands/graph.js')).graphCommand],
  ['run', async () => (await import('./commands/run.js')).runCommand],
  ['exec', async () => (await import('./commands/exec.js')).execCommand],
  ['shell', async () => (await import('./commands/exec.js')).shellCommand],
  ['logs', async () => (await import('./commands/logs.js')).logsCommand],
  ['top', async () => (await import('./commands/usage.js')).topCommand],
  ['stats', async () => (await import('./commands/usage.js')).statsCommand],
  ['policy', async () => (await import('./commands/policy.js')).policyCommand],
  ['auto-update', async () => (await import('./commands/auto-update.js')).autoUpdateCommand],
  ['recover', async () => (await import('./commands/recover.js')).recoverCommand],
  ['completion', async () => (await import('./commands/completion.js')).completionCommand],
];

/** What speaks of all commands. */
const ABOUT_ALL = ['help', 'completion'];

/** Loads the command of this name; or all of them, where there is none of this name, or it is about all of them. */
export async function loadCommands(
  name: string | undefined,
  context: CliContext,
): Promise<readonly Command[]> {
  const named = COMMANDS.filter(([known]) => known === name && !ABOUT_ALL.includes(known));
  const entries = named.length === 0 ? COMMANDS : named;
  const makers = await Promise.all(entries.map(([, load]) => load()));
  return makers.map((make) => make(context));
}
