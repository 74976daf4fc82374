import { checksumHeader } from '../crc32';

/** Some bytes of a file, as they are sent. */
interface IPiece {
  body: Blob;
  checksum: string;
}

/** Bytes of the smallest piece. */
const SMALLEST = 256 * 1024;

/** Milliseconds: who watches should see it move, and on a fast line each piece costs a while. */
const SOON = 400;
const LATE = 1500;

/** Reads a file piece by piece; the next one is read and summed up while one is on its way. */
export class PieceReader {
  /** With the size of the first pieces; the largest ones have twice as much. */
  constructor(
    private readonly _blob: Blob,
    private _size: number
  ) {
    this._largest = 2 * _size;
  }

  /** A piece has arrived: how long it took says how large the next ones are. */
  arrived(milliseconds: number): void {
    if (milliseconds < SOON) {
      this._size = Math.min(this._largest, this._size * 2);
    } else if (milliseconds > LATE) {
      this.shrink();
    }
  }

  /** A piece was cut off: where lines break often, small ones still come through. */
  shrink(): void {
    this._size = Math.min(this._largest, Math.max(SMALLEST, this._size / 2));
  }

  /** The piece that begins at `offset`. */
  async get(offset: number): Promise<IPiece> {
    const piece = await (this._ahead?.offset === offset ? this._ahead.piece : this._read(offset));
    const after = offset + piece.body.size;
    this._ahead = null;
    if (after < this._blob.size) {
      this._ahead = { offset: after, piece: this._read(after) };
      // Who asks for it will hear of a failure; after a cancellation nobody does.
      this._ahead.piece.catch(() => undefined);
    }
    return piece;
  }

  private async _read(offset: number): Promise<IPiece> {
    const end = Math.min(offset + this._size, this._blob.size);
    const bytes = new Uint8Array(await this._blob.slice(offset, end).arrayBuffer());
    // What was summed up, and not that part of the file again, which would be read twice.
    return { body: new Blob([bytes]), checksum: checksumHeader(bytes) };
  }

  private readonly _largest: number;
  private _ahead: { offset: number; piece: Promise<IPiece> } | null = null;
}
