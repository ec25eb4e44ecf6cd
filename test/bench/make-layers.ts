import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { runOk } from '../support/run-command.js';
import { buildTar, type TarItem } from '../support/tar-builder.js';

/** What the layers of an image to measure with are to be like. */
export interface LayersShape {
  readonly layers: number;
  /** Of all layers together. */
  readonly files: number;
  readonly bytes: number;
  /** Added to the time of each file, in seconds: the same content, built again. */
  readonly later?: number;
}

/** A layer that changes files of those below it. */
export interface ChangeLayer {
  readonly path: string;
  readonly files: number;
  /** Of the files, unpacked. */
  readonly bytes: number;
}

const FILES_PER_FOLDER = 40;

/** Of the files of a layer, how many replace or hide one of the layer below. */
const CHANGED_SHARE = 0.02;

/** Of all files, how many an update changes: one in this number. */
const UPDATED_ONE_IN = 100;

/** Largest file, in bytes, or so many times the average: the sizes are as uneven as those of a distribution. */
const MAX_FILE_BYTES = 20_000_000;
const MAX_FILE_SHARE = 15;

/**
 * Makes layers (gzip -1) of pieces of programs, and changes to them: the same files each time, no two alike.
 */
export class LayerMaker {
  readonly #folder: string;
  readonly #corpus: Buffer;

  /** `corpus` is a file (gzip) that the contents are cut from; `folder` is where the layers go. */
  constructor(folder: string, corpus: string) {
    this.#folder = folder;
    this.#corpus = gunzipSync(readFileSync(corpus));
  }

  /** Makes the layers of an image and gives their paths. Upper layers overwrite and hide some files of those below. */
  async layers(shape: LayersShape): Promise<readonly string[]> {
    const random = seededRandom(1);
    const sizes = makeSizes(shape, random);
    const perLayer = Math.ceil(shape.files / shape.layers);
    const paths: string[] = [];
    for (let layer = 0; layer < shape.layers; layer++) {
      const path = this.#begin(`layer${layer}-${shape.files}-${shape.bytes}-${shape.later ?? 0}`);
      const end = Math.min((layer + 1) * perLayer, shape.files);
      for (let first = layer * perLayer; first < end; first += FILES_PER_FOLDER) {
        const items: TarItem[] = [{ path: `${folderOf(first)}/`, mode: 0o755 }];
        for (let file = first; file < Math.min(first + FILES_PER_FOLDER, end); file++) {
          items.push(this.#file(file, { bytes: sizes[file] ?? 0, random, later: shape.later }));
          if (layer > 0 && random() < CHANGED_SHARE) items.push(changeOf(file - perLayer, random));
        }
        appendFileSync(path, buildTar(items, { endBlocks: 0 }));
      }
      paths.push(await this.#finish(path));
    }
    return paths;
  }

  /** Makes a layer in which one of a hundred files of an image is another one. */
  async change(shape: LayersShape): Promise<ChangeLayer> {
    const random = seededRandom(1);
    const sizes = makeSizes(shape, random);
    const path = this.#begin(`change-${shape.files}-${shape.bytes}`);
    let [files, total] = [0, 0];
    for (let file = UPDATED_ONE_IN / 2; file < shape.files; file += UPDATED_ONE_IN) {
      const bytes = sizes[file] ?? 0;
      appendFileSync(
        path,
        buildTar([this.#file(file, { bytes, random, later: 1 })], { endBlocks: 0 }),
      );
      files += 1;
      total += bytes;
    }
    return { path: await this.#finish(path), files, bytes: total };
  }

  #begin(name: string): string {
    const path = `${this.#folder}/${name}.tar`;
    writeFileSync(path, '');
    return path;
  }

  async #finish(path: string): Promise<string> {
    appendFileSync(path, buildTar([]));
    await runOk(['gzip', '-1', path]);
    return `${path}.gz`;
  }

  #file(
    file: number,
    {
      bytes,
      random,
      later = 0,
    }: { bytes: number; random: () => number; later?: number | undefined },
  ): TarItem {
    const at = Math.floor(random() * (this.#corpus.length - bytes));
    const content = Buffer.concat([
      Buffer.from(`${file} `),
      this.#corpus.subarray(at, at + Math.max(0, bytes)),
    ]);
    return { path: pathOf(file), content, mode: 0o644, mtime: 1_700_000_000 + file + later };
  }
}

function changeOf(file: number, random: () => number): TarItem {
  if (random() < 0.5) return { path: pathOf(file), content: `changed ${file}`, mode: 0o644 };
  return { path: `${folderOf(file)}/.wh.file-${file}`, content: '' };
}

function folderOf(file: number): string {
  return `usr/share/d${Math.floor(file / FILES_PER_FOLDER)}`;
}

function pathOf(file: number): string {
  return `${folderOf(file)}/file-${file}`;
}

/** Sizes that are spread as those of a distribution's files are: most of them small, half of the bytes in a few. */
function makeSizes({ files, bytes }: LayersShape, random: () => number): readonly number[] {
  const weights = Array.from({ length: files }, () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.exp(1.9 * normal);
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const largest = Math.max(MAX_FILE_BYTES, (bytes / files) * MAX_FILE_SHARE);
  return weights.map((weight) => Math.min(largest, Math.round((weight / total) * bytes)));
}

/** mulberry32: numbers that look random and are the same each time. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
