import { debianImageLayers } from './debian-image.js';
import { pushImage, type PushedDescriptor, type PushTarget } from './push-image.js';
import { buildLayer, type TarItem } from './tar-builder.js';

/** A unit as published images bring one, with a variable that has no value by itself. */
export const SERVICE_TEMPLATE = `[Unit]
Description=Test of $NAME

[Service]
ExecStart=$EXEC_START
ExecStop=$EXEC_STOP
Restart=no

[Install]
WantedBy=multi-user.target
`;

/** A config.json.template whose program is the probe; `changes` replace members of the document. */
export function configTemplate(changes: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify(
    {
      ociVersion: '1.0.0',
      process: { user: { uid: 0, gid: 0 }, args: ['/probe', 'deaf'], env: ['A=b'], cwd: '/' },
      root: { path: 'rootfs', readonly: true },
      mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
      linux: { namespaces: [{ type: 'pid' }, { type: 'ipc' }, { type: 'mount' }] },
      ...changes,
    },
    null,
    2,
  );
}

/** What {@link pushExports} puts into `/exports`. */
export interface ExportsSketch {
  /** Files below `/exports`, by name; the usual service and config templates are added unless they are here. */
  readonly files?: Readonly<Record<string, string | undefined>>;
  /** Entries of the layer, after those of `files`. */
  readonly entries?: readonly TarItem[];
  /** Makes images of one sketch differ. */
  readonly comment?: string;
}

/** Pushes a small image that is a system container: the probe program, and `/exports` as sketched. */
export async function pushExports(
  target: PushTarget,
  sketch: ExportsSketch = {},
  tag = 'latest',
): Promise<PushedDescriptor> {
  const files: ExportsSketch['files'] = {
    'service.template': SERVICE_TEMPLATE,
    'config.json.template': configTemplate(),
    ...sketch.files,
  };
  const entries: TarItem[] = [{ path: 'exports/' }, { path: 'proc/' }];
  for (const [name, content] of Object.entries(files)) {
    if (content !== undefined) entries.push({ path: `exports/${name}`, content });
  }
  entries.push(...(sketch.entries ?? []));
  const probe = await debianImageLayers('probe');
  return pushImage(target, tag, {
    layers: [
      ...probe.map((path) => ({ content: { path } })),
      { content: buildLayer(entries).blob },
    ],
    process: { Entrypoint: ['/probe'], Cmd: ['deaf'] },
    ...(sketch.comment === undefined ? {} : { config: { comment: sketch.comment } }),
  });
}
