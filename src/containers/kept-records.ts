import type { ContainerBrief } from './container-brief.js';
import type { ContainerDependencies } from './container-dependencies.js';
import type { RecordIdentity } from './deployment-records.js';

/*
 * The form in which what is known of a thousand records is kept (record-cache.ts), made to be read quickly: two lines of JSON.
 * The first has a row for each container; what is the same for most is said once, or not at all. The second has the paths of the
 * files on the host, which are half of it all, and are asked for seldom.
 */

/** A row of the first line. A zero stands for what most have. */
type Row = readonly [
  ...[dev: number, ino: number, size: number, ctimeMs: number],
  ...[name: string, number: number, image: number, runtime: string, createdAt: string],
  /** Zero for the one service of its name. */
  units: readonly string[] | 0,
  more: More | 0,
];

/** What few containers have. */
type More = Pick<ContainerBrief, 'dependencies' | 'createdPaths' | 'hostMounts'>;

interface FirstLine {
  readonly format: number;
  readonly version: string;
  readonly images: readonly ContainerBrief['image'][];
  readonly rows: readonly Row[];
}

/** One record that is known. */
export interface KeptRecord {
  readonly identity: RecordIdentity;
  readonly brief: ContainerBrief;
}

const NOTHING_SAID: ContainerDependencies = {
  ...{ provides: [], requires: [], after: [], before: [], conflicts: [] },
};

const NOTHING_MORE: More = { dependencies: NOTHING_SAID, createdPaths: [], hostMounts: [] };

/** The text of the file. `format` and `version` say who can read it. */
export function formatKept(
  records: readonly KeptRecord[],
  about: { readonly format: number; readonly version: string },
): string {
  const images = new Map<string, number>();
  const rows = records.map(({ identity, brief }): Row => {
    const { name, number, image, runtime, createdAt, units } = brief;
    const { dependencies, createdPaths, hostMounts } = brief;
    const imageText = JSON.stringify(image);
    if (!images.has(imageText)) images.set(imageText, images.size);
    const more: More = { dependencies, createdPaths, hostMounts };
    return [
      ...([identity.dev, identity.ino, identity.size, identity.ctimeMs] as const),
      ...([name, number, images.get(imageText) ?? 0, runtime, createdAt] as const),
      units.length === 1 && units[0] === `${name}.service` ? 0 : units,
      JSON.stringify(more) === JSON.stringify(NOTHING_MORE) ? 0 : more,
    ];
  });
  const first: FirstLine = {
    ...about,
    images: [...images.keys()].map((text) => JSON.parse(text) as ContainerBrief['image']),
    rows,
  };
  return `${JSON.stringify(first)}\n${JSON.stringify(records.map(({ brief }) => brief.filePaths))}\n`;
}

/** What a text of {@link formatKept} says, by name; undefined where another format or version wrote it. @throws SyntaxError */
export function parseKept(
  text: string,
  about: { readonly format: number; readonly version: string },
): ReadonlyMap<string, KeptRecord> | undefined {
  const end = text.indexOf('\n');
  const first = JSON.parse(text.slice(0, end)) as FirstLine;
  // A text without its end is one that is being written.
  if (first.format !== about.format || first.version !== about.version || !text.endsWith(']\n'))
    return undefined;
  const paths = new Paths(text.slice(end + 1));
  const records = new Map<string, KeptRecord>();
  for (const [at, row] of first.rows.entries()) {
    const image = first.images[row[6]];
    if (image !== undefined) records.set(row[4], new KeptRow(row, { at, image, paths }));
  }
  return records;
}

/** The second line, which is parsed when somebody asks. */
class Paths {
  readonly #text: string;
  #parsed: readonly (readonly string[])[] | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  of(at: number): readonly string[] {
    this.#parsed ??= JSON.parse(this.#text) as readonly (readonly string[])[];
    return this.#parsed[at] ?? [];
  }
}

/** A row as both that it says. */
class KeptRow implements KeptRecord, RecordIdentity, ContainerBrief {
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly ctimeMs: number;
  readonly name: string;
  readonly number: number;
  readonly image: ContainerBrief['image'];
  readonly runtime: string;
  readonly createdAt: string;
  readonly units: readonly string[];
  readonly dependencies: ContainerDependencies;
  readonly createdPaths: readonly string[];
  readonly hostMounts: readonly string[];
  readonly #at: number;
  readonly #paths: Paths;

  constructor(
    row: Row,
    {
      at,
      image,
      paths,
    }: { readonly at: number; readonly image: ContainerBrief['image']; readonly paths: Paths },
  ) {
    const more = row[10] === 0 ? NOTHING_MORE : row[10];
    this.dev = row[0];
    this.ino = row[1];
    this.size = row[2];
    this.ctimeMs = row[3];
    this.name = row[4];
    this.number = row[5];
    this.image = image;
    this.runtime = row[7];
    this.createdAt = row[8];
    this.units = row[9] === 0 ? [`${row[4]}.service`] : row[9];
    this.dependencies = more.dependencies;
    this.createdPaths = more.createdPaths;
    this.hostMounts = more.hostMounts;
    this.#at = at;
    this.#paths = paths;
  }

  get identity(): RecordIdentity {
    return this;
  }

  get brief(): ContainerBrief {
    return this;
  }

  get filePaths(): readonly string[] {
    return this.#paths.of(this.#at);
  }
}
