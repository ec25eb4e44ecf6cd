/** A file system as it is made and mounted for power cuts. */
export interface FileSystemKind {
  readonly name: string;
  /** Size of its disk; the smallest that its mkfs makes, or the smallest with room for the images. */
  readonly sizeMb: number;
  readonly make: readonly string[];
  /** While the command runs. The intervals at which it writes by itself are long: only what is asked for is written. */
  readonly mountOptions: string;
  /** After the power cut. */
  readonly replayOptions: string;
  /**
   * Sectors of 512 bytes that reach the disk together. The superblock of btrfs and the blocks of ext4's journal have
   * 4,096 bytes and a checksum: where one is torn, these file systems cannot be mounted, whatever was done on them.
   */
  readonly atomicSectors: number;
}

/** The file systems that commands are cut off on. */
export const FILE_SYSTEMS = {
  ext4: {
    name: 'ext4',
    sizeMb: 64,
    make: ['mkfs.ext4', '-q', '-E', 'nodiscard'],
    mountOptions: 'commit=1000',
    replayOptions: 'defaults',
    atomicSectors: 8,
  },
  /** Without what ext4 does for programs that forget to sync. */
  'ext4-writeback': {
    name: 'ext4-writeback',
    sizeMb: 64,
    make: ['mkfs.ext4', '-q', '-E', 'nodiscard'],
    mountOptions: 'commit=1000,data=writeback,noauto_da_alloc',
    replayOptions: 'data=writeback,noauto_da_alloc',
    atomicSectors: 8,
  },
  xfs: {
    name: 'xfs',
    sizeMb: 300,
    make: ['mkfs.xfs', '-q', '-K'],
    mountOptions: 'defaults',
    replayOptions: 'defaults',
    atomicSectors: 1,
  },
  btrfs: {
    name: 'btrfs',
    sizeMb: 128,
    make: ['mkfs.btrfs', '-q', '-K'],
    mountOptions: 'commit=1000,nodiscard',
    replayOptions: 'nodiscard',
    atomicSectors: 8,
  },
} as const satisfies Readonly<Record<string, FileSystemKind>>;

/** A name of {@link FILE_SYSTEMS}. */
export type FileSystemName = keyof typeof FILE_SYSTEMS;
