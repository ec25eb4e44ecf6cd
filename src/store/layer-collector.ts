import type { HashAside, LayerSink, SpecialEntry } from '../layer/layer-sink.js';
import type { FileNode, NodeMeta } from '../layer/tree.js';
import type { LayerTree } from './layer-tree.js';
import { LayerTreeBuilder } from './layer-tree-builder.js';

/** A regular file whose content is to come. */
export interface ComingFile {
  readonly path: string;
  readonly meta: NodeMeta;
  readonly size: number;
}

/** Takes in the contents of files, one file after another. */
export interface ContentTaker {
  /** As {@link LayerSink.hashAside}. */
  readonly hashAside?: HashAside | undefined;
  begin(file: ComingFile): void;
  /** The bytes are used during the call only; where they are lent, until what {@link ContentTaker.borrowed} gives afterwards settles. */
  write(chunk: Uint8Array, isLent?: boolean): void;
  /** Finishes the file; its node, in which the digest of what was lent stands after the next {@link ContentTaker.drain}. */
  end(): FileNode;
  /** Settles, and never rejects, when nothing is needed any more that was lent up to now; undefined where that is so. */
  borrowed?(): Promise<void> | undefined;
  /** Resolves when there is room for more; undefined where there is. @throws what taking in threw */
  ready(): Promise<void> | undefined;
  /** Waits for all that is done with what was lent. @throws what taking in threw */
  drain(): Promise<void>;
}

/** How a {@link LayerCollector} differs from one back end to the next. */
export interface CollectorOptions {
  /** What is kept of the metadata of an entry; all of it unless given. */
  readonly keptMeta?: ((meta: NodeMeta) => NodeMeta) | undefined;
  /** The value to throw for what taking in content threw; the same unless given. */
  readonly errorOf?: ((thrown: unknown) => unknown) | undefined;
}

/** The sink of every store: contents go to who keeps them, everything else becomes the tree of the layer. */
export class LayerCollector implements LayerSink {
  readonly #contents: ContentTaker;
  readonly #keptMeta: (meta: NodeMeta) => NodeMeta;
  readonly #errorOf: (thrown: unknown) => unknown;
  readonly #tree = new LayerTreeBuilder();
  #path = '';

  constructor(contents: ContentTaker, options: CollectorOptions = {}) {
    this.#contents = contents;
    this.#keptMeta = options.keptMeta ?? ((meta) => meta);
    this.#errorOf = options.errorOf ?? ((thrown) => thrown);
  }

  get hashAside(): HashAside | undefined {
    return this.#contents.hashAside;
  }

  addDirectory(path: string, meta: NodeMeta): void {
    this.#tree.addDirectory(path, this.#keptMeta(meta));
  }

  addSymlink(path: string, target: string, meta: NodeMeta): void {
    this.#tree.addNode(path, { kind: 'symlink', meta: this.#keptMeta(meta), target });
  }

  addSpecial(path: string, special: SpecialEntry): void {
    this.#tree.addNode(path, { ...special, meta: this.#keptMeta(special.meta) });
  }

  addHardLink(path: string, target: string): void {
    this.#tree.addHardLink(path, target);
  }

  addWhiteout(path: string): void {
    this.#tree.addWhiteout(path);
  }

  addOpaque(path: string): void {
    this.#tree.addOpaque(path);
  }

  beginFile(path: string, file: { readonly meta: NodeMeta; readonly size: number }): void {
    this.#path = path;
    const meta = this.#keptMeta(file.meta);
    this.#throwing(() => {
      this.#contents.begin({ path, meta, size: file.size });
    });
  }

  writeFile(chunk: Uint8Array, isLent?: boolean): void {
    this.#throwing(() => {
      this.#contents.write(chunk, isLent);
    });
  }

  endFile(): void {
    const node = this.#throwing(() => this.#contents.end());
    this.#tree.addNode(this.#path, node);
  }

  borrowed(): Promise<void> | undefined {
    return this.#contents.borrowed?.();
  }

  ready(): Promise<void> | undefined {
    return this.#throwing(() => this.#contents.ready())?.catch((error: unknown) => {
      throw this.#errorOf(error);
    });
  }

  async drain(): Promise<void> {
    try {
      await this.#contents.drain();
    } catch (error) {
      throw this.#errorOf(error);
    }
  }

  /** The tree, once everything has arrived, and {@link LayerCollector.drain} is over. @throws `OperationalError` LAYER_ENTRY_REFUSED as {@link LayerTreeBuilder} */
  finish(): LayerTree {
    return this.#tree.finish();
  }

  #throwing<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw this.#errorOf(error);
    }
  }
}
