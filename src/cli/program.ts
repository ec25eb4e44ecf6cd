import { Command } from 'commander';

import { programVersion } from '../config/version.js';
import type { CliContext } from './context.js';
import { adoptCommand } from './commands/adopt.js';
import { applyCommand } from './commands/apply.js';
import { autoUpdateCommand } from './commands/auto-update.js';
import { policyCommand } from './commands/policy.js';
import { completionCommand } from './commands/completion.js';
import { diffCommand } from './commands/diff.js';
import { copyCommand, pushCommand } from './commands/copy.js';
import { fsckCommand } from './commands/fsck.js';
import { execCommand, shellCommand } from './commands/exec.js';
import { imagesCommand } from './commands/images.js';
import { helpCommand } from './commands/help.js';
import { historyCommand } from './commands/history.js';
import { graphCommand } from './commands/graph.js';
import { infoCommand } from './commands/info.js';
import { inspectCommand } from './commands/inspect.js';
import { installCommand } from './commands/install.js';
import { containersCommand, listCommand } from './commands/list.js';
import { logsCommand } from './commands/logs.js';
import { pinCommand } from './commands/pin.js';
import { loginCommand, logoutCommand } from './commands/login.js';
import { pullCommand } from './commands/pull.js';
import { recoverCommand } from './commands/recover.js';
import { rollbackCommand } from './commands/rollback.js';
import { runCommand } from './commands/run.js';
import { statsCommand, topCommand } from './commands/usage.js';
import { setsCommand } from './commands/sets.js';
import { statusCommand } from './commands/status.js';
import { tagsCommand } from './commands/tags.js';
import { uninstallCommand } from './commands/uninstall.js';
import { unitVerbCommand } from './commands/unit-verb.js';
import { verifyCommand } from './commands/verify.js';
import { updateCommand } from './commands/update.js';
import { commonOptions } from './define-command.js';

/** The whole command line of berth: every command with its options and help. Nothing is run or loaded yet. */
export function createProgram(context: CliContext): Command {
  const program = new Command('berth')
    .description('Installs OCI images as systemd services, with no daemon and no engine.')
    .version(programVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.host.stdout.write(text),
      writeErr: () => undefined, // usage errors are printed by report-error, like all others
      outputError: () => undefined,
      getOutHasColors: () => false,
    });
  for (const option of commonOptions()) program.addOption(option);
  const commands = [
    installCommand(context),
    uninstallCommand(context),
    adoptCommand(context),
    updateCommand(context),
    rollbackCommand(context),
    historyCommand(context),
    pinCommand(context),
    setsCommand(context),
    unitVerbCommand('start', context),
    unitVerbCommand('stop', context),
    unitVerbCommand('restart', context),
    listCommand(context),
    statusCommand(context),
    infoCommand(context),
    pullCommand(context),
    copyCommand(context),
    pushCommand(context),
    inspectCommand(context),
    tagsCommand(context),
    loginCommand(context),
    logoutCommand(context),
    imagesCommand(context),
    containersCommand(context),
    applyCommand(context),
    diffCommand(context),
    fsckCommand(context),
    verifyCommand(context),
    graphCommand(context),
    runCommand(context),
    execCommand(context),
    shellCommand(context),
    logsCommand(context),
    topCommand(context),
    statsCommand(context),
    policyCommand(context),
    autoUpdateCommand(context),
    recoverCommand(context),
    completionCommand(context),
  ];
  for (const command of commands) {
    program.addCommand(command.copyInheritedSettings(program));
    for (const sub of command.commands) sub.copyInheritedSettings(program);
  }
  program.addCommand(helpCommand(program).copyInheritedSettings(program));
  program.addHelpText(
    'after',
    '\nExamples:\n  berth install --system --start etcd\n  berth install --plan registry.example/etcd:3.5\n  berth list',
  );
  return program;
}
