import { Option, type Command } from 'commander';

import type { CliContext } from '../context.js';
import { defineCommand } from '../define-command.js';

/** `berth mount [-o OPTIONS] WHAT DIR`. */
export function mountCommand(context: CliContext): Command {
  return defineCommand<{ options?: string }>(
    {
      name: 'mount',
      summary: 'mount the root of an image or container on a directory, to look at it',
      args: [
        {
          syntax: '<what>',
          description: 'a container, one of its deployments (NAME.N), or an image in the store',
        },
        { syntax: '<directory>', description: 'where to' },
      ],
      options: [
        new Option(
          '-o, --options <list>',
          'options of the mount, separated by commas: suid, dev, noexec, nosymfollow, noatime, …',
        ),
      ],
      examples: ['berth mount registry.example/etcd:3.6 /mnt', 'berth mount -o noexec etcd /mnt'],
      notes:
        "Read-only always, because the files are the store's own; nosuid and nodev unless 'suid' or 'dev' is given.\n" +
        "Nothing is fetched: pull the image first. 'berth unmount' takes it away again, a restart of the machine too.",
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { mountRoot } = await import('../../containers/mounts/mount-root.js');
      const { printResult } = await import('../output/print.js');
      await withHost(context, options, async (host) => {
        const [what = '', directory = ''] = args;
        const mounted = await mountRoot(host, { what, directory, options: options.options ?? '' });
        printResult(context, options, {
          of: 'mount',
          json: mounted,
          text: `${mounted.what} mounted on ${mounted.directory}\n`,
        });
      });
    },
    context,
  );
}

/** `berth unmount DIR`. */
export function unmountCommand(context: CliContext): Command {
  return defineCommand(
    {
      name: 'unmount',
      summary: "take away what 'berth mount' mounted",
      args: [{ syntax: '<directory>', description: 'where it is mounted' }],
      examples: ['berth unmount /mnt'],
    },
    async ({ args, options }) => {
      const { withHost } = await import('../open-host.js');
      const { unmountRoot } = await import('../../containers/mounts/unmount-root.js');
      const { printResult } = await import('../output/print.js');
      await withHost(context, options, async (host) => {
        const directory = await unmountRoot(host, args[0] ?? '');
        printResult(context, options, {
          of: 'unmount',
          json: { directory },
          text: `${directory} unmounted\n`,
        });
      });
    },
    context,
  );
}
