import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { quote } from '../base/escape-text.js';
import { parseStrictJson } from '../base/strict-json.js';
import { OperationalError } from '../errors/operational-error.js';
import { parseRuntimeConfig } from '../oci/parse-runtime-config.js';
import { readDocument } from './bundle.js';
import { cgroupOf } from './container-cgroup.js';
import { parseCount, type ParsedArguments } from './parse-arguments.js';
import type { RuntimeCommand } from './runtime-command.js';
import { openContainer, type RuntimeContext } from './runtime-context.js';

/** runc's options, and the member of `linux.resources` that each is. */
const NUMBERS = {
  'blkio-weight': ['blockIO', 'weight'],
  'cpu-period': ['cpu', 'period'],
  'cpu-quota': ['cpu', 'quota'],
  'cpu-burst': ['cpu', 'burst'],
  'cpu-share': ['cpu', 'shares'],
  'cpu-idle': ['cpu', 'idle'],
  memory: ['memory', 'limit'],
  'memory-reservation': ['memory', 'reservation'],
  'memory-swap': ['memory', 'swap'],
  'pids-limit': ['pids', 'limit'],
} as const;
const TEXTS = { 'cpuset-cpus': ['cpu', 'cpus'], 'cpuset-mems': ['cpu', 'mems'] } as const;

/** `update`. */
export const update: RuntimeCommand = {
  options: {
    resources: 'value',
    ...Object.fromEntries(
      [...Object.keys(NUMBERS), ...Object.keys(TEXTS)].map((name) => [name, 'value' as const]),
    ),
  },
  aliases: { r: 'resources' },
  async run(context, args) {
    const store = openContainer(context, args.rest[0]);
    return store.exclusively(async () => {
      const record = store.read();
      const status = store.status(record);
      if (status === 'stopped' || status === 'creating') {
        throw new OperationalError(
          'CONTAINER_NOT_RUNNING',
          `container ${quote(store.id)} is ${status}`,
        );
      }
      const resources = resourcesOf(context, args);
      // The parser that checks a config.json checks this too.
      const { linux } = parseRuntimeConfig(
        JSON.stringify({
          ...(JSON.parse(readFileSync(store.file('config.json'), 'utf8')) as object),
          linux: { resources },
        }),
        'the resources',
      );
      await cgroupOf(record).set(linux.resources);
      return 0;
    });
  },
};

function resourcesOf(context: RuntimeContext, args: ParsedArguments): unknown {
  const file = args.value('resources');
  if (file !== undefined) {
    const path = file === '-' ? '/dev/stdin' : resolve(context.cwd, file);
    return parseStrictJson(readDocument(path), { what: 'the resources' });
  }
  const resources: Record<string, Record<string, unknown>> = {};
  for (const [option, [group, key]] of Object.entries(NUMBERS)) {
    const text = args.value(option);
    if (text === undefined) continue;
    (resources[group] ??= {})[key] = text === '-1' ? -1 : parseCount(text, `--${option}`);
  }
  for (const [option, [group, key]] of Object.entries(TEXTS)) {
    const text = args.value(option);
    if (text !== undefined) (resources[group] ??= {})[key] = text;
  }
  return resources;
}
