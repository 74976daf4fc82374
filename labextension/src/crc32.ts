/**
 * CRC-32 as in zlib, gzip and PNG (polynomial 0xEDB88320, reflected).
 *
 * Sixteen tables, sixteen bytes at a time ("slicing by 16"), in one array: twice as fast as eight
 * tables by themselves, so that checking a piece costs less than sending it.
 */

const STEP = 16;

const TABLES = makeTables();

/** What each of 256 bytes does to the sum, from the last one of a step to the first. */
function makeTables(): Int32Array {
  const tables = new Int32Array(STEP * 256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) {
      c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    }
    tables[n] = c;
  }
  for (let n = 256; n < tables.length; n++) {
    const before = tables[n - 256];
    tables[n] = (before >>> 8) ^ tables[before & 0xff];
  }
  return tables;
}

/**
 * Checksum of some bytes.
 *
 * @param bytes - What to sum up.
 * @returns An unsigned 32-bit number.
 */
export function crc32(bytes: Uint8Array): number {
  const { buffer, byteOffset, length } = bytes;
  if (length < 2 * STEP) {
    return (addBytes(-1, bytes) ^ -1) >>> 0;
  }
  // Words begin at multiples of four; all machines that browsers run on have the low byte first.
  const start = -byteOffset & 3;
  const count = Math.floor((length - start) / STEP) * (STEP / 4);
  const words = new Int32Array(buffer, byteOffset + start, count);
  const crc = addWords(addBytes(-1, bytes.subarray(0, start)), words);
  return (addBytes(crc, bytes.subarray(start + 4 * count)) ^ -1) >>> 0;
}

/** Four words at a time. */
function addWords(crc: number, words: Int32Array): number {
  const t = TABLES;
  for (let i = 0; i < words.length; i += 4) {
    const a = words[i] ^ crc;
    const b = words[i + 1];
    const c = words[i + 2];
    const d = words[i + 3];
    crc =
      t[0xf00 + (a & 0xff)] ^
      t[0xe00 + ((a >>> 8) & 0xff)] ^
      t[0xd00 + ((a >>> 16) & 0xff)] ^
      t[0xc00 + (a >>> 24)] ^
      t[0xb00 + (b & 0xff)] ^
      t[0xa00 + ((b >>> 8) & 0xff)] ^
      t[0x900 + ((b >>> 16) & 0xff)] ^
      t[0x800 + (b >>> 24)] ^
      t[0x700 + (c & 0xff)] ^
      t[0x600 + ((c >>> 8) & 0xff)] ^
      t[0x500 + ((c >>> 16) & 0xff)] ^
      t[0x400 + (c >>> 24)] ^
      t[0x300 + (d & 0xff)] ^
      t[0x200 + ((d >>> 8) & 0xff)] ^
      t[0x100 + ((d >>> 16) & 0xff)] ^
      t[d >>> 24];
  }
  return crc;
}

function addBytes(crc: number, bytes: Uint8Array): number {
  for (const byte of bytes) {
    crc = (crc >>> 8) ^ TABLES[(crc ^ byte) & 0xff];
  }
  return crc;
}

/** The value of the header `Upload-Checksum`: `crc32` and eight hexadecimal digits. */
export function checksumHeader(bytes: Uint8Array): string {
  return `crc32 ${crc32(bytes).toString(16).padStart(8, '0')}`;
}
