import { checksumHeader } from '../crc32';

/** Some bytes of a file, as they are sent. */
export interface IPiece {
  /** A part of the file itself: the browser reads it from the disk as it sends it. */
  body: Blob;
  checksum: string;
}

/** Bytes of the smallest piece. */
const SMALLEST = 256 * 1024;

/** Reads a file piece by piece; the next one is read and summed up while one is on its way. */
export class PieceReader {
  constructor(
    private readonly _blob: Blob,
    private readonly _largest: number
  ) {
    this._size = _largest;
  }

  /** A piece has arrived: the next ones may be larger again. */
  grow(): void {
    this._size = Math.min(this._largest, this._size * 2);
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
    const body = this._blob.slice(offset, Math.min(offset + this._size, this._blob.size));
    return { body, checksum: checksumHeader(new Uint8Array(await body.arrayBuffer())) };
  }

  private _size: number;
  private _ahead: { offset: number; piece: Promise<IPiece> } | null = null;
}
