import type { Command } from 'commander';

import type { CliContext } from './context.js';

/**
 * A command as the help of the program shows it, and how its file is loaded. What it says here it says there too (a test compares
 * them): the help need not load forty files, nor commander.
 */
export interface CommandEntry {
  readonly name: string;
  /** What follows the name: `[options] <image>`. */
  readonly usage: string;
  readonly summary: string;
  load(): Promise<(context: CliContext) => Command>;
}

/** A command that passes a verb on to systemd. */
function unitVerb(verb: 'start' | 'stop' | 'restart'): CommandEntry {
  return {
    name: verb,
    usage: '[options] <name...>',
    summary: `${verb} containers and wait until systemd has done it`,
    load: async () => {
      const { unitVerbCommand } = await import('./commands/unit-verb.js');
      return (context) => unitVerbCommand(verb, context);
    },
  };
}

/** In the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'install',
    usage: '[options] <image>',
    summary: 'install an image as a systemd service',
    load: async () => (await import('./commands/install.js')).installCommand,
  },
  {
    name: 'uninstall',
    usage: '[options] <name...>',
    summary: 'stop containers and remove them from the host',
    load: async () => (await import('./commands/uninstall.js')).uninstallCommand,
  },
  {
    name: 'adopt',
    usage: '[options] [name...]',
    summary: 'take over containers that atomic installed, while they run',
    load: async () => (await import('./commands/adopt.js')).adoptCommand,
  },
  {
    name: 'update',
    usage: '[options] [name...]',
    summary: 'update containers to what their images are now, or to other values',
    load: async () => (await import('./commands/update.js')).updateCommand,
  },
  {
    name: 'rollback',
    usage: '[options] <name>',
    summary: 'go back to an earlier deployment of a container',
    load: async () => (await import('./commands/rollback.js')).rollbackCommand,
  },
  {
    name: 'history',
    usage: '[options] <name>',
    summary: 'show the deployments of a container',
    load: async () => (await import('./commands/history.js')).historyCommand,
  },
  {
    name: 'pin',
    usage: '[options] <name> [number]',
    summary: 'keep a deployment of a container whatever comes after it',
    load: async () => (await import('./commands/pin.js')).pinCommand,
  },
  {
    name: 'sets',
    usage: '',
    summary: 'containers that change versions together',
    load: async () => (await import('./commands/sets.js')).setsCommand,
  },
  unitVerb('start'),
  unitVerb('stop'),
  unitVerb('restart'),
  {
    name: 'list',
    usage: '[options]',
    summary: 'list the installed containers',
    load: async () => (await import('./commands/list.js')).listCommand,
  },
  {
    name: 'status',
    usage: '[options] [name...]',
    summary: 'show what systemd says of containers',
    load: async () => (await import('./commands/status.js')).statusCommand,
  },
  {
    name: 'info',
    usage: '[options] <name-or-image>',
    summary: 'show the labels and variables of an image',
    load: async () => (await import('./commands/info.js')).infoCommand,
  },
  {
    name: 'pull',
    usage: '[options] <image>',
    summary: 'fetch an image into the store, and nothing else',
    load: async () => (await import('./commands/pull.js')).pullCommand,
  },
  {
    name: 'copy',
    usage: '[options] <source> <destination>',
    summary: 'copy an image from one place to another, as it is',
    load: async () => (await import('./commands/copy.js')).copyCommand,
  },
  {
    name: 'push',
    usage: '[options] <source> <reference>',
    summary: 'copy an image to a registry',
    load: async () => (await import('./commands/copy.js')).pushCommand,
  },
  {
    name: 'inspect',
    usage: '[options] <image>',
    summary: 'show manifest and configuration of an image without pulling its layers',
    load: async () => (await import('./commands/inspect.js')).inspectCommand,
  },
  {
    name: 'tags',
    usage: '[options] <repository>',
    summary: 'list the tags of a repository',
    load: async () => (await import('./commands/tags.js')).tagsCommand,
  },
  {
    name: 'login',
    usage: '[options] <registry>',
    summary: 'log in to a registry and keep the account',
    load: async () => (await import('./commands/login.js')).loginCommand,
  },
  {
    name: 'logout',
    usage: '[options] <registry>',
    summary: 'forget the account at a registry',
    load: async () => (await import('./commands/login.js')).logoutCommand,
  },
  {
    name: 'images',
    usage: '',
    summary: 'look at and change the images in the store',
    load: async () => (await import('./commands/images.js')).imagesCommand,
  },
  {
    name: 'containers',
    usage: '',
    summary: 'list, delete, update, roll back containers (the spelling of atomic)',
    load: async () => (await import('./commands/list.js')).containersCommand,
  },
  {
    name: 'apply',
    usage: '[options] <name>',
    summary: 'take an edited config.json over into the launch plan',
    load: async () => (await import('./commands/apply.js')).applyCommand,
  },
  {
    name: 'diff',
    usage: '[options] <before> <after>',
    summary: 'show how two images, containers or deployments differ',
    load: async () => (await import('./commands/diff.js')).diffCommand,
  },
  {
    name: 'mount',
    usage: '[options] <what> <directory>',
    summary: 'mount the root of an image or container on a directory, to look at it',
    load: async () => (await import('./commands/mount.js')).mountCommand,
  },
  {
    name: 'unmount',
    usage: '[options] <directory>',
    summary: "take away what 'berth mount' mounted",
    load: async () => (await import('./commands/mount.js')).unmountCommand,
  },
  {
    name: 'scan',
    usage: '[options] [what...]',
    summary: 'have a scanner look at images, containers and folders',
    load: async () => (await import('./commands/scan.js')).scanCommand,
  },
  {
    name: 'fsck',
    usage: '[options]',
    summary: 'check every object, layer and image of the store, and every deployment',
    load: async () => (await import('./commands/fsck.js')).fsckCommand,
  },
  {
    name: 'verify',
    usage: '[options] [name...]',
    summary: 'compare installed containers with what was installed',
    load: async () => (await import('./commands/verify.js')).verifyCommand,
  },
  {
    name: 'graph',
    usage: '[options] [name...]',
    summary: 'show who starts before whom, and who says so',
    load: async () => (await import('./commands/graph.js')).graphCommand,
  },
  {
    name: 'run',
    usage: '[options] <what> [command...]',
    summary: 'run a program in a container, or once in a fresh one of an image',
    load: async () => (await import('./commands/run.js')).runCommand,
  },
  {
    name: 'exec',
    usage: '[options] <name> <command...>',
    summary: 'run a program in a running container',
    load: async () => (await import('./commands/exec.js')).execCommand,
  },
  {
    name: 'shell',
    usage: '[options] <name>',
    summary: 'open a shell in a running container',
    load: async () => (await import('./commands/exec.js')).shellCommand,
  },
  {
    name: 'logs',
    usage: '[options] <name...>',
    summary: 'show what containers wrote into the journal',
    load: async () => (await import('./commands/logs.js')).logsCommand,
  },
  {
    name: 'top',
    usage: '[options] [name...]',
    summary: 'show the processes of running containers',
    load: async () => (await import('./commands/usage.js')).topCommand,
  },
  {
    name: 'stats',
    usage: '[options] [name...]',
    summary: 'show what containers use of processor, memory and disks',
    load: async () => (await import('./commands/usage.js')).statsCommand,
  },
  {
    name: 'policy',
    usage: '[options] [name]',
    summary: 'say how the timer updates a container',
    load: async () => (await import('./commands/policy.js')).policyCommand,
  },
  {
    name: 'auto-update',
    usage: '[options]',
    summary: 'update containers as their policies say',
    load: async () => (await import('./commands/auto-update.js')).autoUpdateCommand,
  },
  {
    name: 'recover',
    usage: '[options]',
    summary: 'finish or undo what an interrupted command left',
    load: async () => (await import('./commands/recover.js')).recoverCommand,
  },
  {
    name: 'trust',
    usage: '',
    summary: 'show and change which images are taken, and who has to have signed them',
    load: async () => (await import('./commands/trust.js')).trustCommand,
  },
  {
    name: 'sign',
    usage: '[options] <image...>',
    summary: 'sign images of a registry, as podman, skopeo and cosign verify it',
    load: async () => (await import('./commands/sign.js')).signCommand,
  },
  {
    name: 'completion',
    usage: '[options] <shell>',
    summary: 'print a completion script for a shell',
    load: async () => (await import('./commands/completion.js')).completionCommand,
  },
];

/** What speaks of all commands. */
const ABOUT_ALL = ['help', 'completion'];

/** Loads the command of this name; or all of them, where there is none of this name, or it is about all of them. */
export async function loadCommands(
  name: string | undefined,
  context: CliContext,
): Promise<readonly Command[]> {
  const named = COMMANDS.filter((entry) => entry.name === name && !ABOUT_ALL.includes(entry.name));
  const entries = named.length === 0 ? COMMANDS : named;
  const makers = await Promise.all(entries.map((entry) => entry.load()));
  return makers.map((make) => make(context));
}
