/** What stands in an {@link rpmHeader}; absent members have no tag. */
export interface RpmHeaderSketch {
  readonly name?: string;
  readonly version?: string;
  readonly release?: string;
  readonly epoch?: number;
  readonly architecture?: string;
  /** Bytes of a tag that nobody asks for: long descriptions and lists of files make real headers large. */
  readonly filler?: number;
}

/** A header as rpm's databases keep it. */
export function rpmHeader(sketch: RpmHeaderSketch): Buffer {
  const entries: Buffer[] = [];
  const data: Buffer[] = [];
  let offset = 0;
  const add = (tag: number, type: number, content: Buffer): void => {
    const padding = type === 4 ? (4 - (offset % 4)) % 4 : 0;
    data.push(Buffer.alloc(padding), content);
    const entry = Buffer.alloc(16);
    [tag, type, offset + padding, 1].forEach((value, index) =>
      entry.writeUInt32BE(value, index * 4),
    );
    entries.push(entry);
    offset += padding + content.length;
  };
  const text = (tag: number, value: string | undefined): void => {
    if (value !== undefined) add(tag, 6, Buffer.from(`${value}\0`));
  };
  text(1000, sketch.name);
  text(1001, sketch.version);
  text(1002, sketch.release);
  if (sketch.epoch !== undefined) {
    const epoch = Buffer.alloc(4);
    epoch.writeUInt32BE(sketch.epoch);
    add(1003, 4, epoch);
  }
  text(1022, sketch.architecture);
  if (sketch.filler !== undefined) text(1005, 'x'.repeat(sketch.filler));
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(entries.length, 0);
  lengths.writeUInt32BE(offset, 4);
  return Buffer.concat([lengths, ...entries, ...data]);
}
