import { cpus } from 'node:os';

import type { ContainerName } from '../base/container-name.js';
import { quote } from '../base/escape-text.js';
import { ownFile } from '../base/own-files.js';
import { readFile } from '../base/quick-files.js';
import type { ActivatorType } from '../systemd/check-activation.js';
import { createDefaultExports, type DefaultExports } from '../templates/default-exports.js';
import type { ExportsManifest } from '../templates/exports-manifest.js';
import { parsePlainConfig, renderConfig, type RenderedConfig } from '../templates/render-config.js';
import { parseTemplate } from '../templates/parse-template.js';
import { renderTmpfiles } from '../templates/render-tmpfiles.js';
import type { Template } from '../templates/template.js';
import type { Values } from '../templates/values.js';
import { defaultContainerName } from './default-name.js';
import type { FetchedImage } from './fetch-image.js';
import type { Host } from './host.js';
import type { Exports } from './load-exports.js';
import { realPathInTree } from './read-in-tree.js';

/** What a service is rendered from: what the image brings, completed by berth's own templates where it brings nothing. */
export interface EffectiveExports {
  readonly manifest: ExportsManifest;
  readonly service: Template;
  /** Whether the config.json is berth's own: the image brings none. */
  readonly ownConfig: boolean;
  /** Units that start the service. */
  readonly activators: ReadonlyMap<ActivatorType, Template>;
  renderConfig(values: Values): RenderedConfig;
  /** `''` where nothing has to be made. */
  renderTmpfiles(values: Values): string;
  /** Variables of all of these. */
  readonly variables: readonly string[];
  /** Directories that the checkout has to have. */
  readonly directories: readonly string[];
  readonly warnings: readonly string[];
}

/** The program that the forerunner ran where an image with /exports brought no configuration. */
const FALLBACK_ARGS = ['run.sh'];

/** Completes the exports of an image by the built-in templates. */
export async function completeExports(
  host: Host,
  request: {
    readonly name: ContainerName;
    readonly fetched: FetchedImage;
    readonly exports: Exports;
    readonly setValues: ReadonlyMap<string, string>;
    readonly fileValues: ReadonlyMap<string, string>;
  },
): Promise<EffectiveExports> {
  const { exports } = request;
  const { service, config, tmpfiles } = exports;
  const activators = await activatorsFor(request);
  // Asked for only where something is missing: an image that brings all need not say what it would run.
  const defaults =
    service === undefined || config === undefined
      ? await defaultsFor(host, request, activators)
      : undefined;
  const unit = service ?? required(defaults).service;
  const templates = [
    unit,
    ...activators.values(),
    ...(config?.kind === 'template' ? [config.template] : []),
    ...(tmpfiles === undefined ? [] : [tmpfiles]),
  ];
  return {
    manifest: {
      ...exports.manifest,
      defaultValues: new Map([
        ...(defaults?.manifest.defaultValues ?? []),
        ...exports.manifest.defaultValues,
      ]),
    },
    service: unit,
    ownConfig: config === undefined,
    activators,
    renderConfig: (values) => {
      if (config === undefined) return required(defaults).renderConfig(values);
      return config.kind === 'template'
        ? renderConfig(config.template, values)
        : parsePlainConfig(config.bytes);
    },
    renderTmpfiles: (values) => {
      if (tmpfiles !== undefined) return renderTmpfiles(tmpfiles, values);
      return config === undefined ? required(defaults).renderTmpfiles(values) : '';
    },
    variables: [...new Set(templates.flatMap((template) => template.variables))],
    directories: config === undefined ? required(defaults).directories : [],
    warnings: [
      ...exports.unknownTemplates.map(
        (template) =>
          `the image brings ${quote(`/exports/${template}`)}, of which berth makes nothing`,
      ),
      ...[...exports.activators.keys()]
        .filter((type) => !activators.has(type))
        .map((type) => `the image brings a ${type}, but no service that it would start`),
      ...exports.manifest.unknownMembers.map(
        (member) => `manifest.json has a member '${member}' that berth does not know, ignoring`,
      ),
      ...(config === undefined ? required(defaults).warnings : []),
    ],
  };
}

const NO_ACTIVATORS: ReadonlyMap<ActivatorType, Template> = new Map();

/** The variable by which an administrator says when a service runs whose unit berth makes. */
export const TIMES_VARIABLE = 'ON_CALENDAR';

/** Those of the image, and berth's own timer where somebody said when the service is to run, and the image does not. */
async function activatorsFor(request: Request): Promise<ReadonlyMap<ActivatorType, Template>> {
  const { exports, setValues, fileValues } = request;
  if (exports.manifest.noContainerService) return NO_ACTIVATORS;
  const times = setValues.get(TIMES_VARIABLE) ?? fileValues.get(TIMES_VARIABLE) ?? '';
  if (times === '' || !takesTimes(exports)) return exports.activators;
  const file = 'container.timer.hbs';
  const timer = parseTemplate(file, await readFile(ownFile(`unit-templates/${file}`), 'utf8'));
  return new Map([...exports.activators, ['timer', timer]]);
}

function takesTimes({ manifest, service, activators }: Exports): boolean {
  return !manifest.noContainerService && service === undefined && !activators.has('timer');
}

type Request = Parameters<typeof completeExports>[1];

async function defaultsFor(
  host: Host,
  request: Request,
  activators: EffectiveExports['activators'],
): Promise<DefaultExports> {
  return createDefaultExports({
    image: request.fetched.config,
    name: request.name,
    imageName: defaultContainerName(request.fetched.reference),
    serviceTemplate: await readFile(ownFile('unit-templates/container.service.hbs'), 'utf8'),
    mode: host.paths.mode,
    activators: [...activators.keys()],
    takesTimes: takesTimes(request.exports),
    // All that the host has, however few of them berth may use.
    cpuCount: cpus().length,
    resolveVolume: (volume) => realPathInTree(request.fetched.tree.root, volume),
    ...(request.exports.present ? { fallbackArgs: FALLBACK_ARGS } : {}),
  });
}

function required(defaults: DefaultExports | undefined): DefaultExports {
  if (defaults === undefined) throw new Error('internal error: built-in templates were not loaded');
  return defaults;
}
