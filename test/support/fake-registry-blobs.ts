import { randomBytes } from 'node:crypto';

import {
  digestLike,
  readBody,
  Refusal,
  requireDigest,
  type Call,
} from './fake-registry-content.js';

/** GET and HEAD of a blob, whole or in part. */
export function getBlob({ request, response, repository, last }: Call): void {
  requireDigest(last);
  const blob = repository.blobs.get(last);
  if (blob === undefined) throw new Refusal(404, 'BLOB_UNKNOWN');
  const headers = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': last,
    'accept-ranges': 'bytes',
  };
  const asked = request.method === 'HEAD' ? undefined : request.headers.range;
  const range = parseRange(asked, blob.length);
  if (range === undefined) {
    response.writeHead(200, { ...headers, 'content-length': String(blob.length) });
    response.end(request.method === 'HEAD' ? undefined : blob);
    return;
  }
  const part = blob.subarray(range.start, range.end + 1);
  response.writeHead(206, {
    ...headers,
    'content-length': String(part.length),
    'content-range': `bytes ${range.start}-${range.end}/${blob.length}`,
  });
  response.end(part);
}

/** One range (RFC 9110, section 14.1.2), both ends included; undefined where none is asked for. */
function parseRange(
  header: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (start <= end && start < size) return { start, end };
  throw new Refusal(416, 'RANGE_INVALID', { 'content-range': `bytes */${size}` });
}

/** DELETE of a blob. */
export function deleteBlob({ response, repository, last }: Call): void {
  requireDigest(last);
  if (!repository.blobs.delete(last)) throw new Refusal(404, 'BLOB_UNKNOWN');
  response.writeHead(202, { 'content-length': '0' }).end();
}

/** POST: a blob in one piece, one of another repository, or the beginning of an upload. */
export async function startUpload(call: Call): Promise<void> {
  const { request, response, url, name, repository } = call;
  const mount = url.searchParams.get('mount');
  const from = url.searchParams.get('from');
  const blob =
    mount === null || from === null ? undefined : call.findRepository(from).blobs.get(mount);
  if (mount !== null && blob !== undefined) {
    repository.blobs.set(mount, blob);
    response.writeHead(201, { location: `/v2/${name}/blobs/${mount}` }).end();
    return;
  }
  const digest = url.searchParams.get('digest');
  if (digest !== null) {
    finishUpload(call, await readBody(request), digest);
    return;
  }
  request.resume();
  const id = randomBytes(8).toString('hex');
  repository.uploads.set(id, Buffer.alloc(0));
  response.writeHead(202, { location: `/v2/${name}/blobs/uploads/${id}`, range: '0-0' }).end();
}

/** GET: how far an upload is. */
export function getUpload(call: Call): void {
  call.response.writeHead(204, placeOf(call, uploadOf(call))).end();
}

/** DELETE: gives an upload up. */
export function cancelUpload(call: Call): void {
  uploadOf(call);
  call.repository.uploads.delete(call.last);
  call.response.writeHead(204).end();
}

/** PATCH and PUT: the next piece of an upload, and its end. */
export async function continueUpload(call: Call): Promise<void> {
  const { request, response, url, repository, last } = call;
  const before = uploadOf(call);
  const range = request.headers['content-range'];
  const body = await readBody(request);
  if (range !== undefined && range !== rangeOf(before.length, body.length)) {
    throw new Refusal(416, 'BLOB_UPLOAD_INVALID', placeOf(call, before));
  }
  const content = Buffer.concat([before, body]);
  if (request.method === 'PUT') {
    repository.uploads.delete(last);
    finishUpload(call, content, url.searchParams.get('digest') ?? '');
    return;
  }
  repository.uploads.set(last, content);
  response.writeHead(202, placeOf(call, content)).end();
}

function uploadOf({ repository, last }: Call): Buffer {
  const upload = repository.uploads.get(last);
  if (upload === undefined) throw new Refusal(404, 'BLOB_UPLOAD_UNKNOWN');
  return upload;
}

function placeOf({ name, last }: Call, content: Buffer): { location: string; range: string } {
  return {
    location: `/v2/${name}/blobs/uploads/${last}`,
    range: rangeOf(0, Math.max(content.length, 1)),
  };
}

function rangeOf(start: number, length: number): string {
  return `${start}-${start + length - 1}`;
}

function finishUpload({ response, name, repository }: Call, content: Buffer, digest: string): void {
  requireDigest(digest);
  if (digestLike(digest, content) !== digest) throw new Refusal(400, 'DIGEST_INVALID');
  repository.blobs.set(digest, content);
  response.writeHead(201, {
    location: `/v2/${name}/blobs/${digest}`,
    'docker-content-digest': digest,
  });
  response.end();
}
