import type { ContainerName } from '../base/container-name.js';
import { OperationalError } from '../errors/operational-error.js';
import { quote } from '../base/escape-text.js';
import type { ImageConfig } from '../oci/image-config.js';
import { buildDefaultConfig } from './default-config.js';
import { EMPTY_EXPORTS_MANIFEST, type ExportsManifest } from './exports-manifest.js';
import { getValue } from './get-value.js';
import { parseTemplate } from './parse-template.js';
import { quoteTmpfilesField } from './quote-tmpfiles-field.js';
import type { RenderedConfig } from './render-config.js';
import { parseStopSignal } from './stop-signal.js';
import type { Template } from './template.js';
import type { Values } from './values.js';
import { volumeDirectory } from './volume-directory.js';

/** What stands for the `/exports` that an image lacks. */
export interface DefaultExports {
  /** Defaults of the variables that the unit template uses beyond berth's own. */
  readonly manifest: ExportsManifest;
  readonly service: Template;
  renderConfig(values: Values): RenderedConfig;
  /** Lines that make the volumes and fill them once from the image; `''` where it has none. */
  renderTmpfiles(values: Values): string;
  /** Directories that the checkout has to have even where the image lacks them: the working directory, as with Docker. */
  readonly directories: readonly string[];
  /** What could not be carried over from the image's configuration. */
  readonly warnings: readonly string[];
}

/** What {@link createDefaultExports} needs. */
export interface DefaultExportsInput {
  readonly image: ImageConfig;
  readonly name: ContainerName;
  /** Short name of the image, for the description. */
  readonly imageName: string;
  /** Text of `unit-templates/container.service.hbs`. */
  readonly serviceTemplate: string;
  readonly mode: 'system' | 'user';
  /** Types of the units that start the service: without any, the host does at boot. */
  readonly activators?: readonly string[];
  /** Whether an administrator may say when it runs (`ON_CALENDAR`). */
  readonly takesTimes?: boolean;
  /** Processors of the host: each has a file that tells of its load, and is masked. */
  readonly cpuCount: number;
  /** Where in the image a path leads, its links followed; undefined where that has no name. */
  readonly resolveVolume: (volume: string) => string | undefined;
  /** Run if the image has neither Entrypoint nor Cmd; the forerunner took `run.sh` for images with `/exports`. */
  readonly fallbackArgs?: readonly string[];
}

/**
 * A unit, a `config.json` and tmpfiles lines from an image's configuration (DESIGN: "An image without `/exports`").
 *
 * @throws {@link OperationalError} IMAGE_CONFIG_INVALID if there is nothing to run, or a member cannot be used
 */
export function createDefaultExports(input: DefaultExportsInput): DefaultExports {
  const { image, name } = input;
  const defaults = describeImage(input);
  // Built once now: what is wrong with the image is told before anything is fetched or changed.
  const { warnings } = buildDefaultConfig({ ...input, stateDirectory: '/var/lib' });
  return {
    manifest: { ...EMPTY_EXPORTS_MANIFEST, defaultValues: defaults },
    service: parseTemplate('container.service.hbs', input.serviceTemplate),
    renderConfig: (values) => {
      const stateDirectory = getValue(values, 'STATE_DIRECTORY').text;
      const value = buildDefaultConfig({ ...input, stateDirectory }).config;
      return {
        text: `${JSON.stringify(value, undefined, 2)}\n`,
        value,
        droppedAnnotations: [],
      };
    },
    renderTmpfiles: (values) => {
      const state = getValue(values, 'STATE_DIRECTORY').text;
      const destdir = getValue(values, 'DESTDIR').text;
      // What a container makes set-user-ID there would give root's or the user's rights to everybody who can reach it. A folder of
      // the system that stands there already may be another program's, too, and keeps its mode (`:`).
      const mode = (values.get('HOST_UID')?.text ?? '0') === '0' ? ':0700' : '0700';
      const resolve = input.resolveVolume;
      return renderVolumeLines({
        ...{ volumes: image.process.volumes, resolve, state, destdir, name, mode },
      });
    },
    directories: [image.process.workingDir].filter((path) => path.startsWith('/') && path !== '/'),
    warnings,
  };
}

/**
 * `C` copies a tree with its owners and modes, but only where nothing stands yet or an empty directory does
 * (tmpfiles.d(5)): a volume is filled at the first installation and never again. What the image lacks is made as a mount
 * point of the checkout and so is an empty directory here.
 */
function renderVolumeLines(about: {
  readonly volumes: readonly string[];
  readonly resolve: DefaultExportsInput['resolveVolume'];
  readonly state: string;
  readonly destdir: string;
  readonly name: ContainerName;
  /** Of the folder that holds the volumes. */
  readonly mode: string;
}): string {
  if (about.volumes.length === 0) return '';
  const lines = about.volumes.map((volume) => {
    const target = escapeField(volumeDirectory(about.state, about.name, volume));
    const source = `${about.destdir}/rootfs${resolveVolume(volume, about.resolve)}`;
    return `C ${target} - - - - ${source.replaceAll('%', '%%')}\n`;
  });
  return `d ${escapeField(`${about.state}/${about.name}`)} ${about.mode} - - - -\n${lines.join('')}`;
}

/** Links of the image lead on the host to what is there: they are followed before, inside the image. */
function resolveVolume(volume: string, resolve: DefaultExportsInput['resolveVolume']): string {
  const path = resolve(volume);
  if (path !== undefined && path !== '/' && !/[\u0000-\u001f\u007f]/.test(path)) return path;
  throw new OperationalError(
    'IMAGE_CONFIG_INVALID',
    `the image has the volume ${quote(volume)}, which a link leads to ${path === undefined ? 'what has no name' : quote(path)}`,
  );
}

function escapeField(path: string): string {
  return quoteTmpfilesField(path.replaceAll('%', '%%'));
}

function describeImage(input: DefaultExportsInput): ReadonlyMap<string, string> {
  const { labels, process } = input.image;
  const title = cleanLabel(labels['org.opencontainers.image.title']);
  const text = cleanLabel(labels['org.opencontainers.image.description']);
  const address = [
    labels['org.opencontainers.image.documentation'],
    labels['org.opencontainers.image.url'],
  ].find((label) => label !== undefined && /^https?:\/\/[!-~]{1,500}$/.test(label));
  const signal = parseStopSignal(process.stopSignal ?? 'SIGTERM');
  if (signal === undefined) {
    throw new OperationalError(
      'IMAGE_CONFIG_INVALID',
      `the image stops by ${quote(process.stopSignal ?? '')}, which is not a signal`,
    );
  }
  const { activators = [] } = input;
  // What a timer or path starts does its work and ends: it is waited for, and never runs twice at once.
  const isJob = activators.length > 0 && !activators.includes('socket');
  const bootTarget = input.mode === 'user' ? 'default.target' : 'multi-user.target';
  const names = [title, text].filter((part) => part !== '');
  return new Map([
    ['DESCRIPTION', names.length === 0 ? input.imageName : names.join(': ')],
    ['DOCUMENTATION', address ?? ''],
    ['STOP_SIGNAL', signal.name === 'SIGTERM' ? '' : signal.name],
    ['STOP_STATUS', String(128 + signal.number)],
    ['TYPE', isJob ? 'oneshot' : 'exec'],
    ['RESTART', isJob ? '' : 'on-failure'],
    ['WANTED_BY', activators.length > 0 ? '' : bootTarget],
    ...(input.takesTimes === true ? ([['ON_CALENDAR', '']] as const) : []),
  ]);
}

/** Labels are a stranger's text: one line of it, no control characters, not longer than a line is read. */
function cleanLabel(label: string | undefined): string {
  return (label ?? '')
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\s]+/g, ' ')
    .replace(/\\/g, '/')
    .trim()
    .slice(0, 120);
}
