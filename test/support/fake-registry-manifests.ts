import {
  digestLike,
  readBody,
  Refusal,
  requireDigest,
  type Call,
} from './fake-registry-content.js';

const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** Largest manifest that has to be taken (distribution-spec v1.1, "Pushing Manifests"). */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';

/** What the registry itself reads of a manifest or index. */
interface Document {
  readonly mediaType?: unknown;
  readonly artifactType?: string;
  readonly annotations?: object;
  readonly config?: { readonly digest: string; readonly mediaType: string };
  readonly layers?: readonly { readonly digest: string; readonly urls?: unknown }[];
  readonly subject?: { readonly digest?: string };
}

/** GET and HEAD of a manifest, by tag or digest. */
export function getManifest(call: Call): void {
  const { request, response, repository, last } = call;
  const digest = last.includes(':') ? last : repository.tags.get(last);
  const manifest = digest === undefined ? undefined : repository.manifests.get(digest);
  if (manifest === undefined) throw new Refusal(404, 'MANIFEST_UNKNOWN');
  response.writeHead(200, {
    'content-type': manifest.mediaType,
    'content-length': String(manifest.bytes.length),
    'docker-content-digest': digest ?? '',
  });
  response.end(request.method === 'HEAD' ? undefined : manifest.bytes);
}

/** PUT of a manifest, by tag or digest. */
export async function putManifest(call: Call): Promise<void> {
  const { request, response, name, repository, last } = call;
  const bytes = await readBody(request);
  if (bytes.length > MAX_MANIFEST_BYTES) throw new Refusal(413, 'SIZE_INVALID');
  const mediaType = request.headers['content-type'];
  const document = parseDocument(bytes);
  if (mediaType === undefined || document === undefined) {
    throw new Refusal(400, 'MANIFEST_INVALID');
  }
  const stated = document.mediaType;
  if (stated !== undefined && stated !== mediaType) throw new Refusal(400, 'MANIFEST_INVALID');
  for (const digest of referredBlobs(document)) {
    if (!repository.blobs.has(digest)) throw new Refusal(400, 'MANIFEST_BLOB_UNKNOWN');
  }
  const digest = digestLike(last, bytes);
  if (last.includes(':')) {
    requireDigest(last);
    if (last !== digest) throw new Refusal(400, 'DIGEST_INVALID');
  } else if (TAG.test(last)) repository.tags.set(last, digest);
  else throw new Refusal(400, 'TAG_INVALID');
  repository.manifests.set(digest, { bytes, mediaType });
  const subject = document.subject?.digest;
  response.writeHead(201, {
    location: `/v2/${name}/manifests/${digest}`,
    'docker-content-digest': digest,
    ...(subject === undefined ? {} : { 'oci-subject': subject }),
  });
  response.end();
}

/** DELETE of a tag, or of a manifest and all its tags. */
export function deleteManifest({ response, repository, last }: Call): void {
  const { manifests, tags } = repository;
  const isThere = last.includes(':') ? manifests.delete(last) : tags.delete(last);
  if (!isThere) throw new Refusal(404, 'MANIFEST_UNKNOWN');
  for (const [tag, digest] of tags) {
    if (digest === last) tags.delete(tag);
  }
  response.writeHead(202, { 'content-length': '0' }).end();
}

/** GET of the tags, in pages where that is asked for. */
export function listTags({ response, url, name, repository }: Call): void {
  if (repository.manifests.size === 0) throw new Refusal(404, 'NAME_UNKNOWN');
  const count = Number(url.searchParams.get('n') ?? '1000');
  const after = url.searchParams.get('last') ?? '';
  const tags = [...repository.tags.keys()].sort().filter((tag) => tag > after);
  const page = tags.slice(0, count);
  const next = `/v2/${name}/tags/list?n=${count}&last=${page.at(-1) ?? ''}`;
  response.writeHead(200, {
    'content-type': 'application/json',
    ...(page.length < tags.length && count > 0 ? { link: `<${next}>; rel="next"` } : {}),
  });
  response.end(JSON.stringify({ name, tags: page }));
}

/** GET of what refers to a manifest, of one kind where that is asked for. */
export function listReferrers({ response, url, repository, last }: Call): void {
  requireDigest(last);
  const wanted = url.searchParams.get('artifactType');
  const manifests = [...repository.manifests].flatMap(([digest, { bytes, mediaType }]) => {
    const document = parseDocument(bytes);
    if (document?.subject?.digest !== last) return [];
    const { annotations } = document;
    const artifactType = document.artifactType ?? document.config?.mediaType;
    if (wanted !== null && artifactType !== wanted) return [];
    return [{ mediaType, digest, size: bytes.length, artifactType, annotations }];
  });
  response.writeHead(200, {
    'content-type': INDEX_TYPE,
    ...(wanted === null ? {} : { 'oci-filters-applied': 'artifactType' }),
  });
  response.end(JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests }));
}

function referredBlobs({ config, layers = [] }: Document): readonly string[] {
  const own = layers.filter(({ urls }) => urls === undefined).map(({ digest }) => digest);
  return config === undefined ? own : [config.digest, ...own];
}

function parseDocument(bytes: Buffer): Document | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined; // not JSON: the caller refuses it
  }
}
