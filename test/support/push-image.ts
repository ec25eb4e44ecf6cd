import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

/** A repository that images are pushed to. */
export interface PushTarget {
  /** `http://127.0.0.1:5000` or `https://localhost:5001`. */
  readonly origin: string;
  readonly repository: string;
  /** PEM of the authority that an https registry is checked against. */
  readonly ca?: string;
  /** Takes any certificate: for registries whose certificate the test wants refused. */
  readonly insecure?: boolean;
  /** Added to each request: `{ authorization: 'Basic …' }`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Content of a blob: in memory, or a file that is streamed. */
export type BlobContent = Uint8Array | { readonly path: string };

/** A layer to push. */
export interface LayerToPush {
  readonly content: BlobContent;
  /** By the first bytes unless given: OCI layer, gzip or plain tar. */
  readonly mediaType?: string;
  /** Digest of the uncompressed tar; computed unless given. */
  readonly diffId?: string;
}

/** An image to push. */
export interface ImageToPush {
  readonly layers: readonly LayerToPush[];
  /** The `config` member of the image config: Entrypoint, Env, User, … */
  readonly process?: Readonly<Record<string, unknown>>;
  readonly architecture?: string;
  readonly variant?: string;
  /** `docker`: schema 2 media types; OCI unless given. */
  readonly format?: 'oci' | 'docker';
  /** Members added to the manifest. */
  readonly manifest?: Readonly<Record<string, unknown>>;
  /** Members added to the image config, over the made ones. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** What refers to something that was pushed. */
export interface PushedDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: Readonly<Record<string, string>>;
}

const TYPES = {
  oci: {
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    index: 'application/vnd.oci.image.index.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
    zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
    plain: 'application/vnd.oci.image.layer.v1.tar',
  },
  docker: {
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    gzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
    plain: 'application/vnd.docker.image.rootfs.diff.tar',
  },
} as const;

/** The digest of bytes, as registries write it. */
export function sha256(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** Pushes layers, config and manifest, and tags the manifest unless `tag` is undefined. */
export async function pushImage(
  target: PushTarget,
  tag: string | undefined,
  image: ImageToPush,
): Promise<PushedDescriptor> {
  const types = TYPES[image.format ?? 'oci'];
  const layers: PushedDescriptor[] = [];
  const diffIds: string[] = [];
  for (const layer of image.layers) {
    const magic = await firstBytes(layer.content);
    const compression = magic.startsWith('1f8b') ? 'gzip' : magic === '28b52ffd' ? 'zstd' : 'plain';
    layers.push({
      ...(await pushBlob(target, layer.content)),
      mediaType: layer.mediaType ?? types[compression],
    });
    diffIds.push(layer.diffId ?? (await diffIdOf(layer.content, compression)));
  }
  const platform = {
    architecture: image.architecture ?? hostArchitecture(),
    os: 'linux',
    ...(image.variant === undefined ? {} : { variant: image.variant }),
  };
  const config = Buffer.from(
    JSON.stringify({
      ...platform,
      config: image.process ?? {},
      rootfs: { type: 'layers', diff_ids: diffIds },
      ...image.config,
    }),
  );
  const pushed = await pushManifest(target, tag, {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: { ...(await pushBlob(target, config)), mediaType: types.config },
    layers,
    ...image.manifest,
  });
  return { ...pushed, platform };
}

/** Pushes an index of manifests that are there already. */
export async function pushIndex(
  target: PushTarget,
  tag: string | undefined,
  manifests: readonly PushedDescriptor[],
): Promise<PushedDescriptor> {
  return pushManifest(target, tag, { schemaVersion: 2, mediaType: TYPES.oci.index, manifests });
}

/** Pushes a document as manifest, by tag or by its own digest, whatever is in it. */
export async function pushManifest(
  target: PushTarget,
  tag: string | undefined,
  document: Readonly<Record<string, unknown>> | Uint8Array,
): Promise<PushedDescriptor> {
  const body =
    document instanceof Uint8Array ? document : Buffer.from(JSON.stringify(document, null, 2));
  const parsed = JSON.parse(Buffer.from(body).toString()) as { mediaType?: string };
  const mediaType = parsed.mediaType ?? TYPES.oci.manifest;
  const digest = sha256(body);
  await send(target, {
    method: 'PUT',
    url: `/v2/${target.repository}/manifests/${tag ?? digest}`,
    headers: { 'content-type': mediaType, 'content-length': String(body.length) },
    body,
  });
  return { mediaType, digest, size: body.length };
}

/** Pushes one blob (nothing is sent if the registry has it). */
export async function pushBlob(
  target: PushTarget,
  content: BlobContent,
): Promise<PushedDescriptor> {
  const { digest, size } = await measure(content);
  const described = { mediaType: 'application/octet-stream', digest, size };
  const blob = `/v2/${target.repository}/blobs`;
  const head = await send(target, { method: 'HEAD', url: `${blob}/${digest}`, ok: [200, 404] });
  if (head.status === 200) return described;
  const started = await send(target, { method: 'POST', url: `${blob}/uploads/` });
  const location = new URL(started.location ?? '', `${target.origin}/`);
  location.searchParams.set('digest', digest);
  await send(target, {
    method: 'PUT',
    url: `${location.pathname}${location.search}`,
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) },
    body: content,
  });
  return described;
}

interface Outgoing {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: BlobContent;
  readonly ok?: readonly number[];
}

async function send(
  target: PushTarget,
  outgoing: Outgoing,
): Promise<{ status: number; location: string | undefined }> {
  const url = new URL(outgoing.url, target.origin);
  const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const request = start(url, {
    method: outgoing.method,
    headers: { 'content-length': '0', ...target.headers, ...outgoing.headers },
    agent: false,
    ...(target.ca === undefined ? {} : { ca: target.ca }),
    ...(target.insecure === true ? { rejectUnauthorized: false } : {}),
  });
  const answered = new Promise<{ status: number; location: string | undefined; text: string }>(
    (resolve, reject) => {
      request.once('error', reject);
      request.once('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            location: response.headers.location,
            text: Buffer.concat(chunks).toString(),
          });
        });
      });
    },
  );
  if (outgoing.body === undefined) request.end();
  else openContent(outgoing.body).pipe(request);
  const { status, location, text } = await answered;
  const ok = outgoing.ok ?? [200, 201, 202, 204];
  if (!ok.includes(status)) {
    throw new Error(`${outgoing.method} ${url.href} answered ${status}: ${text.slice(0, 500)}`);
  }
  return { status, location };
}

function openContent(content: BlobContent): Readable {
  return content instanceof Uint8Array
    ? Readable.from([content])
    : createReadStream(content.path, { highWaterMark: 1 << 20 });
}

async function measure(content: BlobContent): Promise<{ digest: string; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of openContent(content) as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { digest: `sha256:${hash.digest('hex')}`, size };
}

async function firstBytes(content: BlobContent): Promise<string> {
  for await (const chunk of openContent(content) as AsyncIterable<Uint8Array>) {
    return Buffer.from(chunk.subarray(0, 4)).toString('hex');
  }
  return '';
}

async function diffIdOf(content: BlobContent, compression: string): Promise<string> {
  if (compression === 'zstd') throw new Error('give the diff id of a zstd layer');
  const hash = createHash('sha256');
  const raw = openContent(content);
  const tar = compression === 'gzip' ? raw.pipe(createGunzip()) : raw;
  for await (const chunk of tar as AsyncIterable<Uint8Array>) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

/** This machine's architecture in Go's words. */
function hostArchitecture(): string {
  return { x64: 'amd64', ia32: '386' }[process.arch as string] ?? process.arch;
}
