import { Option, type Command } from 'commander';

import type { CliContext } from '../context.js';
import { collect, defineCommand, type CommandCall } from '../define-command.js';
import { hideArguments, registryOptions, type RegistryOptionValues } from '../registry-options.js';

interface ScanOptions extends RegistryOptionValues {
  readonly scanner?: string;
  readonly scan_type?: string;
  readonly scanner_args?: string;
  readonly list?: boolean;
  readonly all?: boolean;
  readonly images?: boolean;
  readonly containers?: boolean;
  readonly rootfs?: readonly string[];
  readonly verbose?: boolean;
}

/** `berth scan [WHAT…]`. */
export function scanCommand(context: CliContext): Command {
  return defineCommand<ScanOptions>(
    {
      name: 'scan',
      summary: 'have a scanner look at images, containers and folders',
      args: [
        {
          syntax: '[what...]',
          description: 'containers, deployments (NAME.N) and images in the store',
        },
      ],
      options: [
        new Option('--scanner <name>', 'the scanner; the only or configured one unless given'),
        new Option('--scan_type <name>', 'what it is to look for; its usual scan unless given'),
        new Option('--scanner_args <list>', 'further options of the scanner: key=value,key=value'),
        new Option('--list', 'show the scanners and their scans'),
        new Option('--all', 'scan all images and containers'),
        new Option('--images', 'scan all images'),
        new Option('--containers', 'scan all containers'),
        new Option('--rootfs <dir>', 'scan a folder of the host (may be repeated)').argParser(
          collect,
        ),
        new Option('--verbose', 'show what the scanner says'),
        ...registryOptions(),
      ],
      examples: ['berth scan --list', 'berth scan --scanner openscap --scan_type cve etcd'],
      notes:
        'Scanners are described in /etc/berth/scanners.d and /etc/atomic.d. Ends with 0 where nothing was found, with 1\n' +
        'where something was, and with another status where the scan failed.',
    },
    runScan,
    context,
  );
}

async function runScan({ args, options, context }: CommandCall<ScanOptions>): Promise<void> {
  hideArguments(options);
  const { withHost } = await import('../open-host.js');
  const { chooseScan, loadScanners, scannerFolders } =
    await import('../../containers/scan/load-scanners.js');
  const { printResult } = await import('../output/print.js');
  const { formatScan, formatScanners } = await import('../output/format-scan.js');
  const { assertForSystem } = await import('../../containers/preflight.js');
  await withHost(context, options, async (host) => {
    if (options.user === true) assertForSystem(host, 'scanning what is mounted for the scanner');
    const loaded = await loadScanners(scannerFolders(host.paths));
    const tellProblems = (): void => {
      for (const problem of loaded.problems)
        host.onEvent({ kind: 'warning', text: `${problem.message}; leaving it out` });
    };
    const defaultScanner = host.conf.scan['default-scanner'];
    if (options.list === true) {
      tellProblems();
      printResult(context, options, {
        of: 'scan',
        json: loaded.scanners,
        text: formatScanners(loaded.scanners, defaultScanner),
      });
      return;
    }
    const chosen = chooseScan(loaded, {
      scanner: options.scanner,
      scanType: options.scan_type,
      defaultScanner,
    });
    tellProblems();
    const { scan } = await import('../../containers/scan/scan.js');
    const { pullDisplay } = await import('../pull-display.js');
    const { CommandExit } = await import('../command-exit.js');
    using display = pullDisplay(context, options);
    const outcome = await scan(host, {
      ...chosen,
      args: furtherArgs(options.scanner_args),
      names: args,
      images: options.images === true || options.all === true,
      containers: options.containers === true || options.all === true,
      rootfs: options.rootfs ?? [],
      pull: {
        setValues: new Map(),
        fileValues: new Map(),
        platform: undefined,
        env: context.host.env,
        allowHostPaths: [],
        onProgress: display.onProgress,
      },
      onLine: (line) => {
        if (options.verbose === true) context.host.stderr.write(`${line}\n`);
      },
    });
    display[Symbol.dispose]();
    printResult(context, options, { of: 'scan', json: outcome, text: formatScan(outcome) });
    const failed = outcome.scanned.filter(({ status }) => status === 'failed');
    if (failed.length > 0) {
      const { OperationalError } = await import('../../errors/operational-error.js');
      const names = failed.map(({ name }) => name).join(', ');
      throw new OperationalError('SCAN_FAILED', `there is no result of ${names}`);
    }
    if (outcome.scanned.some(({ status }) => status === 'found')) throw new CommandExit(1);
  });
}

/** `key=value,key` as atomic took it: `--key value --key`. */
function furtherArgs(list: string | undefined): readonly string[] {
  if (list === undefined) return [];
  return list.split(',').flatMap((pair) => {
    const [key = '', value = ''] = pair.split(/=(.*)/s).map((part) => part.trim());
    return value === '' ? [`--${key}`] : [`--${key}`, value];
  });
}
