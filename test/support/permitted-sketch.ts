import type { DeployedPermissions, Deployment } from '../../src/containers/deployment.js';
import type { PermittedSide } from '../../src/containers/gained-permissions.js';
import { deploymentRecord } from './deployment-record.js';
import { runtimeConfigDocument, type ConfigChanges } from './runtime-config.js';

/** A deployment in a few strokes. */
export interface Sketch {
  readonly record?: Partial<DeployedPermissions>;
  readonly config?: ConfigChanges;
  /** Of the file itself, in place of `config`; undefined for none. */
  readonly configText?: string | undefined;
  /** Lines of the section [Service]. */
  readonly unit?: string;
  /** Lines of the section [Socket] of web.socket; without them it has none. */
  readonly socket?: string;
  readonly tmpfiles?: string;
  /** Content of /usr/local/bin/web, which it brings to the host. */
  readonly program?: string;
}

/** Its launcher, which runs the plan `x`. */
export const LAUNCHER = '/usr/libexec/berth/launch';

/** A deployment as it is compared; what is not given is as {@link runtimeConfigDocument} has it. */
export function side(sketch: Sketch): PermittedSide {
  const plain = deploymentRecord({
    name: 'web',
    launcher: LAUNCHER,
    values: { EXEC_START: `${LAUNCHER} x` },
    units: ['web.service', ...(sketch.socket === undefined ? [] : ['web.socket'])],
  });
  const deployment: Deployment = {
    ...plain,
    files:
      sketch.program === undefined
        ? []
        : [
            {
              role: 'host-file',
              path: '/usr/local/bin/web',
              kind: 'file',
              sha256: sketch.program,
              mode: 0o755,
              source: '',
            },
          ],
    permissions: { ...plain.permissions, user: 'uid 0, gid 0', ...sketch.record },
  };
  const config = { process: { noNewPrivileges: true }, ...sketch.config };
  const texts = new Map([
    ['web.service', `[Service]\nExecStart=${LAUNCHER} x\n${sketch.unit ?? ''}`],
    ['tmpfiles-web.conf', sketch.tmpfiles ?? ''],
  ]);
  if (sketch.socket !== undefined) texts.set('web.socket', `[Socket]\n${sketch.socket}`);
  const text =
    'configText' in sketch ? sketch.configText : JSON.stringify(runtimeConfigDocument(config));
  if (text !== undefined) texts.set('config.json', text);
  return { deployment, texts };
}

/** A mount of a folder of the host. */
export const bind = (source: string, options: readonly string[], destination = '/x'): object => ({
  destination,
  type: 'bind',
  source,
  options: ['rbind', ...options],
});
/** Mounts beside the usual ones. */
export const mounts = (...list: readonly object[]): Sketch => ({ config: { mounts: list } });
/** Members of `linux`. */
export const linux = (members: object): Sketch => ({
  config: {
    linux: { namespaces: [{ type: 'pid' }, { type: 'ipc' }, { type: 'mount' }], ...members },
  },
});
/** Members of `process`. */
export const process = (members: object): Sketch => ({
  config: { process: { noNewPrivileges: true, ...members } },
});
