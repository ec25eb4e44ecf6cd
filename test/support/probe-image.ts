import { debianImageLayers } from './debian-image.js';
import { type PushedDescriptor, pushImage, type PushTarget } from './push-image.js';
import { buildLayer } from './tar-builder.js';

/** What a small image is to run, and how systemd is to see it. */
export interface ProbeService {
  /** Verb of the probe program and its arguments (test/fixtures/images/probe/probe.c). */
  readonly args: readonly string[];
  /** Lines for the `[Service]` section beside ExecStart=. */
  readonly service?: readonly string[];
  /** Lines for the `[Unit]` section. */
  readonly unit?: readonly string[];
  /** Whom it is started with once it is enabled; multi-user.target unless given. */
  readonly wantedBy?: string;
  /** Further files of /exports: a socket, hostfs, manifest.json. */
  readonly exports?: Readonly<Record<string, string>>;
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Namespaces; pid, ipc, uts and mount unless given. */
  readonly namespaces?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Pushes an image of the probe program with `/exports` of its own: a unit and a configuration. */
export async function pushProbeService(
  target: PushTarget,
  probe: ProbeService,
): Promise<PushedDescriptor> {
  const files: Readonly<Record<string, string>> = {
    'service.template': unitText(probe),
    'config.json.template': JSON.stringify(configuration(probe), null, 2),
    ...probe.exports,
  };
  const layer = buildLayer([
    { path: 'exports/', mode: 0o755 },
    ...Object.entries(files).map(([name, content]) => ({
      path: `exports/${name}`,
      content,
      mode: 0o644,
    })),
  ]);
  const [program = ''] = await debianImageLayers('probe');
  return pushImage(target, 'latest', {
    layers: [{ content: { path: program } }, { content: layer.blob }],
    process: { Entrypoint: ['/probe'] },
  });
}

/** Pushes an image of the probe program without `/exports`; `process` is the image's own configuration. */
export async function pushStockProbe(
  target: PushTarget,
  process: Readonly<Record<string, unknown>>,
): Promise<PushedDescriptor> {
  const [program = ''] = await debianImageLayers('probe');
  return pushImage(target, 'latest', { layers: [{ content: { path: program } }], process });
}

function unitText(probe: ProbeService): string {
  return [
    '[Unit]',
    'Description=Probe',
    ...(probe.unit ?? []),
    '',
    '[Service]',
    'ExecStart=$EXEC_START',
    'ExecStop=$EXEC_STOP',
    ...(probe.service ?? []),
    '',
    '[Install]',
    `WantedBy=${probe.wantedBy ?? 'multi-user.target'}`,
    '',
  ].join('\n');
}

function configuration(probe: ProbeService): unknown {
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: probe.user ?? { uid: 0, gid: 0 },
      args: ['/probe', ...probe.args],
      env: ['PATH=/'],
      cwd: '/',
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      { destination: '/run', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev'] },
    ],
    ...(probe.annotations === undefined ? {} : { annotations: probe.annotations }),
    linux: {
      namespaces: (probe.namespaces ?? ['pid', 'ipc', 'uts', 'mount']).map((type) => ({ type })),
    },
  };
}
