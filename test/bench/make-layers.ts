import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { debianImageLayers } from '../support/debian-image.js';
import { runOk } from '../support/run-command.js';
import { buildTar, type TarItem } from '../support/tar-builder.js';

/** What the layers of an image to measure with are to be like. */
export interface LayersShape {
  readonly layers: number;
  /** Of all layers together. */
  readonly files: number;
  readonly bytes: number;
}

const FILES_PER_FOLDER = 40;

/** Of the files of a layer, how many replace or hide one of the layer below. */
const CHANGED_SHARE = 0.02;

/** Largest file, in bytes: the sizes are as uneven as those of a distribution. */
const MAX_FILE_BYTES = 20_000_000;

/**
 * Makes layers (gzip -1) of pieces of Debian's programs, and gives their paths: the same files each time, no two alike. Upper layers
 * overwrite and hide some files of those below.
 */
export async function makeLayers(folder: string, shape: LayersShape): Promise<readonly string[]> {
  const corpus = await readCorpus();
  const random = seededRandom(1);
  const sizes = makeSizes(shape, random);
  const perLayer = Math.ceil(shape.files / shape.layers);
  const paths: string[] = [];
  for (let layer = 0; layer < shape.layers; layer++) {
    const path = `${folder}/layer${layer}.tar`;
    writeFileSync(path, '');
    for (let first = layer * perLayer; first < (layer + 1) * perLayer; first += FILES_PER_FOLDER) {
      const items: TarItem[] = [{ path: `${folderOf(first)}/`, mode: 0o755 }];
      const end = Math.min(first + FILES_PER_FOLDER, (layer + 1) * perLayer, shape.files);
      for (let file = first; file < end; file++) {
        const bytes = sizes[file] ?? 0;
        const at = Math.floor(random() * (corpus.length - bytes));
        const content = Buffer.concat([
          Buffer.from(`${file} `),
          corpus.subarray(at, at + Math.max(0, bytes)),
        ]);
        items.push({ path: pathOf(file), content, mode: 0o644, mtime: 1_700_000_000 + file });
        if (layer > 0 && random() < CHANGED_SHARE) items.push(changeOf(file - perLayer, random));
      }
      appendFileSync(path, buildTar(items, { endBlocks: 0 }));
    }
    appendFileSync(path, buildTar([]));
    await runOk(['gzip', '-1', path]);
    paths.push(`${path}.gz`);
  }
  return paths;
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
  return weights.map((weight) => Math.min(MAX_FILE_BYTES, Math.round((weight / total) * bytes)));
}

async function readCorpus(): Promise<Buffer> {
  const [, docker = ''] = await debianImageLayers('docker');
  return gunzipSync(readFileSync(docker));
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
