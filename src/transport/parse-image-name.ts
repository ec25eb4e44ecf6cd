import { resolve } from 'node:path';

import { quote } from '../base/escape-text.js';
import { suggestName } from '../base/suggest-name.js';
import { OperationalError } from '../errors/operational-error.js';
import { parseReference, type ImageReference } from '../oci/reference.js';

/** Where an image is to come from, as the command line names it. */
export type ImageName =
  | {
      readonly kind: 'registry';
      readonly reference: ImageReference;
      /** `http:NAME` or `https:NAME`: how to speak to it, whatever the configuration says. */
      readonly scheme: 'http' | 'https' | undefined;
    }
  | {
      /** A layout in a directory, or in an archive. */
      readonly kind: 'oci' | 'oci-archive';
      /** Absolute. */
      readonly path: string;
      /** The name inside the layout, if one is given. */
      readonly imageName: string | undefined;
    }
  | {
      readonly kind: 'docker-archive';
      readonly path: string;
      /** `NAME[:TAG]` of the image in the archive, if one is given. */
      readonly reference: string | undefined;
      /** Or its place among the images of the archive, from 0. */
      readonly index: number | undefined;
    }
  | { readonly kind: 'dir'; readonly path: string }
  | {
      readonly kind: 'docker-daemon';
      /** `NAME:TAG`, or the digest of an image's configuration. */
      readonly image: string;
    }
  | OstreeName;

/** An image of an OSTree repository: `ostree:NAME[@/REPOSITORY]`. */
export interface OstreeName {
  readonly kind: 'ostree';
  readonly reference: ImageReference;
  /** Absolute; undefined for the host's. */
  readonly repository: string | undefined;
}

/** An image of a registry. */
export type RegistryName = Extract<ImageName, { readonly kind: 'registry' }>;

/** What is read and written as files and blobs on this host. */
export type LocalName = Exclude<ImageName, { readonly kind: 'registry' | 'ostree' }>;

/** Transports of containers-transports(5) that berth knows but does not speak. */
const NOT_SPOKEN = ['containers-storage', 'sif', 'tarball'] as const;

/** What can stand in front of an image, for messages. */
export const TRANSPORTS_READ = [
  'docker://',
  'oci:',
  'oci-archive:',
  'docker-archive:',
  'dir:',
  'docker-daemon:',
  'ostree:',
  'http:',
  'https:',
] as const;

/** The names inside a layout that the specification allows (image-spec v1.1 annotations.md, "org.opencontainers.image.ref.name"). */
const NAME_IN_LAYOUT =
  /^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:\/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*$/;

/**
 * Parses what a user calls an image: `[TRANSPORT:]REST`. Without a transport it is a registry reference. The old
 * spellings of atomic(1) hold: `http:NAME`, `https:NAME`, `docker:NAME` and `oci:REGISTRY/NAME` are registry references,
 * `docker:NAME:TAG` is an image of the docker engine, `dockertar:PATH` an archive of `docker save`. `oci:` in front of
 * anything else is a layout in a directory.
 *
 * @throws {@link OperationalError} TRANSPORT_UNKNOWN or REFERENCE_INVALID
 */
export function parseImageName(text: string, workingDirectory: string): ImageName {
  const colon = text.indexOf(':');
  const prefix = text.slice(0, Math.max(colon, 0));
  const rest = text.slice(colon + 1);
  const pathed = { text, rest, workingDirectory };
  switch (prefix) {
    case 'docker':
      if (rest.startsWith('//')) return registryName(rest.slice(2));
      return rest.includes(':') ? engineName(text, rest) : registryName(rest);
    case 'http':
    case 'https':
      if (rest.startsWith('//')) return refuseAddress(prefix, rest.slice(2));
      return { ...registryName(rest), scheme: prefix };
    case 'oci':
      return namesRegistry(rest) ? registryName(rest) : layoutName('oci', pathed);
    case 'oci-archive':
      return layoutName(prefix, pathed);
    case 'docker-archive':
    case 'dockertar':
      return dockerArchiveName(pathed);
    case 'dir':
      return { kind: 'dir', path: pathOf(rest, { ...pathed, form: 'dir:PATH' }) };
    case 'docker-daemon':
      return engineName(text, rest);
    case 'ostree':
      return ostreeName(rest);
    default:
      if (NOT_SPOKEN.some((known) => known === prefix)) return refuse(prefix, text);
      // `oci-arhive:images/x.tar`: nearly one of the transports, and no registry is called so without a dot or a port.
      if (isMistyped(prefix, rest)) return refuse(prefix, text);
      // A word, a colon and slashes: meant as a transport, and no reference could be written so.
      if (rest.startsWith('//') || (rest.startsWith('/') && prefix !== ''))
        return refuse(prefix, text);
      return registryName(text);
  }
}

/** A tag has no slash in it: what has one behind a colon is the path of a transport, or the port of a registry. */
function isMistyped(prefix: string, rest: string): boolean {
  return /^[a-z-]+$/.test(prefix) && rest.includes('/') && !/^\d{1,5}\//.test(rest);
}

interface Pathed {
  readonly text: string;
  readonly rest: string;
  readonly workingDirectory: string;
}

function registryName(text: string): RegistryName {
  return { kind: 'registry', reference: parseReference(text), scheme: undefined };
}

/** `docker.io/…`, `localhost/…`, `host:5000/…`; a path that looks so is written `./docker.io/…`. */
function namesRegistry(rest: string): boolean {
  return /^(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|localhost|[A-Za-z0-9.-]+(?=:\d+\/))(?::\d+)?\//.test(
    rest,
  );
}

function layoutName(kind: 'oci' | 'oci-archive', pathed: Pathed): ImageName {
  const { path: named, name: imageName } = splitAtColon(pathed.rest);
  const path = pathOf(named, { ...pathed, form: `${kind}:PATH or ${kind}:PATH:NAME` });
  if (imageName !== undefined && !NAME_IN_LAYOUT.test(imageName)) {
    throw new OperationalError(
      'REFERENCE_INVALID',
      `${quote(imageName)} is not the name of an image in a layout`,
    );
  }
  return { kind, path, imageName };
}

function dockerArchiveName(pathed: Pathed): ImageName {
  const { path: named, name } = splitAtColon(pathed.rest);
  const form = 'docker-archive:PATH, docker-archive:PATH:NAME:TAG or docker-archive:PATH:@INDEX';
  const path = pathOf(named, { ...pathed, form });
  const kind = 'docker-archive';
  if (name === undefined) return { kind, path, reference: undefined, index: undefined };
  const index = /^@(\d{1,6})$/.exec(name)?.[1];
  if (index !== undefined) return { kind, path, reference: undefined, index: Number(index) };
  if (parseReference(name).digest !== undefined) {
    throw new OperationalError(
      'REFERENCE_INVALID',
      `${quote(pathed.text)}: images in an archive have names and tags, no digests`,
      { hint: `write ${form}` },
    );
  }
  return { kind, path, reference: name, index: undefined };
}

/** `NAME:TAG` or `NAME@DIGEST`, or `sha256:…`, an image's id. A name alone is ambiguous to the engine's users, too. */
function engineName(text: string, rest: string): ImageName {
  if (/^sha256:[0-9a-f]{64}$/.test(rest)) return { kind: 'docker-daemon', image: rest };
  const { tag, digest } = parseReference(rest);
  if (tag !== undefined || digest !== undefined) return { kind: 'docker-daemon', image: rest };
  throw new OperationalError('REFERENCE_INVALID', `${quote(text)} has no tag`, {
    hint: `write docker-daemon:${rest}:latest`,
  });
}

/** A reference has no `/` behind its `@`, so that the first `@/` begins the path. */
function ostreeName(rest: string): OstreeName {
  const at = rest.indexOf('@/');
  const path = at === -1 ? undefined : rest.slice(at + 1);
  if (path?.includes('\0') === true) {
    throw new OperationalError('REFERENCE_INVALID', `${quote(rest)} names no path`, {
      hint: 'write ostree:NAME[:TAG]@/REPOSITORY',
    });
  }
  return {
    kind: 'ostree',
    reference: parseReference(at === -1 ? rest : rest.slice(0, at)),
    repository: path === undefined ? undefined : resolve(path),
  };
}

function splitAtColon(rest: string): { path: string; name: string | undefined } {
  const colon = rest.indexOf(':');
  return colon === -1
    ? { path: rest, name: undefined }
    : { path: rest.slice(0, colon), name: rest.slice(colon + 1) };
}

function pathOf(
  path: string,
  { text, workingDirectory, form }: Pathed & { readonly form: string },
): string {
  if (path === '' || path.includes('\0')) {
    throw new OperationalError('REFERENCE_INVALID', `${quote(text)} names no path`, {
      hint: `write ${form}`,
    });
  }
  return resolve(workingDirectory, path);
}

/** The account and the query of an address are not shown: there may be a password in them. */
function refuseAddress(scheme: string, rest: string): never {
  const shown = rest.replace(/^[^/]*@/, '').replace(/[?#].*$/s, '');
  const insecurely = scheme === 'http' ? `, and http:${shown} is asked for without TLS` : '';
  throw new OperationalError(
    'REFERENCE_INVALID',
    `${quote(`${scheme}://${shown}`)} is an address of the web, not the name of an image`,
    {
      hint: isReference(shown)
        ? `an image of that registry is named ${shown}${insecurely}`
        : 'images are named REGISTRY/NAME:TAG',
    },
  );
}

function isReference(text: string): boolean {
  try {
    return parseReference(text).registry !== undefined;
  } catch (error) {
    if (error instanceof OperationalError) return false;
    throw error;
  }
}

function refuse(transport: string, text: string): never {
  const near = suggestName(
    transport,
    TRANSPORTS_READ.map((known) => known.replace(/:.*$/, '')),
  );
  throw new OperationalError(
    'TRANSPORT_UNKNOWN',
    `${quote(text)}: berth cannot read images from the transport ${quote(transport)}`,
    {
      hint: `${near === undefined ? '' : `did you mean ${near}:? `}it reads ${TRANSPORTS_READ.join(', ')}, and names without a transport from a registry`,
    },
  );
}
