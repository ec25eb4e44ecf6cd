import type { ContainerName } from '../base/container-name.js';

/** Where every program has a directory of its own. */
const FIXED_BASES = [
  '/var/lib',
  '/run',
  '/etc',
  '/var/log',
  '/var/cache',
  '/var/spool',
  '/srv',
  '/opt',
];

/**
 * The places of one container: in each base directory, what has a part named `NAME` or `NAME.…` on its path
 * (`/var/lib/etcd`, `/run/etcd/x`, `/var/lib/etcd/etcd2.etcd` of etcd2).
 */
export class OwnPlaces {
  /** One of them, for messages. */
  readonly example: string;
  readonly #name: ContainerName;
  readonly #bases: readonly string[];
  readonly #destdir: string | undefined;

  constructor(name: ContainerName, values: ReadonlyMap<string, { readonly text: string }>) {
    this.#name = name;
    const given = ['STATE_DIRECTORY', 'RUN_DIRECTORY', 'CONF_DIRECTORY'].flatMap((variable) => {
      const text = values.get(variable)?.text;
      // A base of '/' would make every path of that name its own.
      return text === undefined || !/^\/[^/]/.test(text) ? [] : [text.replace(/\/+$/, '')];
    });
    this.#bases = [...new Set([...given, ...FIXED_BASES])];
    this.#destdir = values.get('DESTDIR')?.text;
    this.example = `${this.#bases[0] ?? '/var/lib'}/${name}`;
  }

  /** Whether a path is the container's own; wildcards count only below the part that makes it so. */
  has(path: string): boolean {
    return this.#bases.some((base) => {
      if (!path.startsWith(`${base}/`)) return false;
      const parts = path.slice(base.length + 1).split('/');
      const named = parts.findIndex(
        (part) => part === this.#name || part.startsWith(`${this.#name}.`),
      );
      return named !== -1 && parts.slice(0, named + 1).every((part) => !/[*?[\]{}]/.test(part));
    });
  }

  /** Whether a link at `path` may lead to `target`: into its own places or its own image. */
  allowsTarget(path: string, target: string): boolean {
    if (target === '' || target === '-') return false; // the default is a file of the vendor's /usr/share/factory
    const absolute = target.startsWith('/')
      ? target
      : `${path.slice(0, path.lastIndexOf('/'))}/${target}`;
    return !absolute.split('/').includes('..') && (this.has(absolute) || this.#isInImage(absolute));
  }

  /** Whether a copy may be made of `source`. */
  allowsSource(source: string): boolean {
    return (
      source.startsWith('/') &&
      !source.split('/').includes('..') &&
      (this.has(source) || this.#isInImage(source))
    );
  }

  /** What of its image a link at `path`, or a copy, would be of; undefined where that is none of the image's. */
  inImage(path: string, target: string): string | undefined {
    const absolute = target.startsWith('/')
      ? target
      : `${path.slice(0, path.lastIndexOf('/'))}/${target}`;
    const root = `${this.#destdir ?? ''}/rootfs`;
    return this.#isInImage(absolute) ? absolute.slice(root.length) : undefined;
  }

  #isInImage(path: string): boolean {
    return this.#destdir !== undefined && path.startsWith(`${this.#destdir}/rootfs/`);
  }
}

/** `/etc/systemd/system/UNIT.d`: an empty directory there changes nothing. */
export function isUnitDropInDirectory(path: string): boolean {
  return /^\/(?:etc|run)\/systemd\/system\/[A-Za-z0-9:_.\\@-]+\.d$/.test(path);
}

/** A file that is named after the container in such a directory: `docker.service.d/flannel.conf` of flannel. */
export function isOwnFileInDropIn(path: string, name: ContainerName): boolean {
  const slash = path.lastIndexOf('/');
  return isUnitDropInDirectory(path.slice(0, slash)) && path.slice(slash + 1) === `${name}.conf`;
}
