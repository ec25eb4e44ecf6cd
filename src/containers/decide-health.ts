import type { ImageConfig, ImageHealthcheck } from '../oci/image-config.js';
import {
  HEALTH_LIMITS,
  parseHealthDeclaration,
  type HealthDeclaration,
} from '../templates/health-declaration.js';
import { parseStrictJson } from '../base/strict-json.js';
import { isJsonObject } from '../templates/exports-manifest.js';
import { ManifestReader } from '../templates/manifest-reader.js';
import { DEFAULT_HEALTH_CHECK, type HealthCheck } from './health-check.js';

/** Holds what `health` of manifest.json holds, for images without one. */
const LABEL = 'io.berth.health';

/** Docker's defaults, for what a `Healthcheck` does not say (0). */
const STOCK = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, retries: 3 } as const;

/**
 * How it will be found out whether a container is well: as its manifest.json says, else its label, else, for an image
 * without `/exports`, its own `Healthcheck`; else nothing is asked but that it stays active.
 *
 * @throws {@link OperationalError} EXPORTS_INVALID
 */
export function decideHealth(from: {
  readonly declared: HealthDeclaration | undefined;
  readonly image: ImageConfig;
  /** Whether the image has `/exports`: what it inherited of another image's then says nothing of its service. */
  readonly hasExports: boolean;
  /** How long it has to stay well; the administrator's word counts more than the image's. */
  readonly soakMs: number | undefined;
}): HealthCheck {
  const { declared, image, hasExports, soakMs } = from;
  const said = declared ?? readLabel(image.labels);
  const check =
    said !== undefined
      ? complete(said)
      : hasExports
        ? DEFAULT_HEALTH_CHECK
        : fromStockImage(image.process.healthcheck);
  return soakMs === undefined ? check : { ...check, soakMs };
}

function readLabel(labels: ImageConfig['labels']): HealthDeclaration | undefined {
  const text = labels[LABEL];
  if (text === undefined) return undefined;
  const health = parseStrictJson(text, { what: `the label ${LABEL}`, maxValues: 1_000 });
  const document = { health };
  if (!isJsonObject(document)) return undefined;
  return parseHealthDeclaration(new ManifestReader(document, `label ${LABEL}: `));
}

function complete(said: HealthDeclaration): HealthCheck {
  const { intervalMs, timeoutMs, startPeriodMs, retries, soakMs } = DEFAULT_HEALTH_CHECK;
  return {
    command: said.command,
    intervalMs: said.intervalMs ?? intervalMs,
    timeoutMs: said.timeoutMs ?? timeoutMs,
    startPeriodMs: said.startPeriodMs ?? startPeriodMs,
    retries: said.retries ?? retries,
    soakMs: said.soakMs ?? soakMs,
  };
}

/** Docker's words: nothing or `NONE` is no check, `CMD-SHELL` a line for the image's shell. */
function fromStockImage(check: ImageHealthcheck | undefined): HealthCheck {
  const [kind, ...words] = check?.test ?? [];
  const command =
    kind === 'CMD' ? words : kind === 'CMD-SHELL' ? ['/bin/sh', '-c', words.join(' ')] : [];
  if (check === undefined || command.length === 0 || command[0] === '') return DEFAULT_HEALTH_CHECK;
  const time = (ns: number, member: 'interval' | 'timeout' | 'startPeriod', otherwise: number) => {
    const [least, most] = HEALTH_LIMITS[member];
    return ns === 0 ? otherwise : Math.min(Math.max(ns / 1e6, least * 1000), most * 1000);
  };
  return {
    command,
    intervalMs: time(check.intervalNs, 'interval', STOCK.intervalMs),
    timeoutMs: time(check.timeoutNs, 'timeout', STOCK.timeoutMs),
    startPeriodMs: time(check.startPeriodNs, 'startPeriod', STOCK.startPeriodMs),
    retries: Math.min(Math.max(check.retries, 0), HEALTH_LIMITS.retries[1]) || STOCK.retries,
    soakMs: DEFAULT_HEALTH_CHECK.soakMs,
  };
}
