// @ts-check
/** The loops over a JPEG's scans, compiled from scans.as, and the memory that they work in. */
import { readFileSync } from 'node:fs';
import { URL } from 'node:url';

/**
 * @typedef {{ reset(): void; define(table: number): number; next(): number; spare(): number; at(): number; unread(): number;
 *   begin(kind: number, channels: number, unitsWide: number, first: number, last: number, low: number): void;
 *   segment(from: number, fileEnd: number, buffer: number, unit: number, untilUnit: number): number }} Functions see scans.as
 * @typedef {Functions & { memory: { buffer: ArrayBuffer; grow(pages: number): number } }} Exports
 * @typedef {{ Module: new (bytes: Uint8Array) => object; Instance: new (module: object) => { exports: Exports } }} Engine the
 *   engine's own, which the types of Node do not have
 */

/** As in scans.as. */
export const TABLES = 4;
export const DEFINITION = 0x40;
export const PARTS = 0x400;
export const PART_BYTES = 64;
const CODES = 0x1_0000;
const CODES_BYTES = 0x2_0000;
const EMPTY_TABLE = 2 * TABLES;
/** Where the file is put. */
const FILE = 0x15_0000;
const PAGE = 0x1_0000;
/** After the file the same room again, for one segment in reverse, and what is read past it. */
const SPARE_BYTES = 1024;
/** More memory than this is not kept for the next picture. */
const MOST_KEPT = 64 * 1024 * 1024;

/** @type {object | undefined} */
let compiled;
/** @type {Exports | undefined} */
let instance;

/** A picture's file in the memory of the loops. */
export class ScanKernel {
  /** @param {Uint8Array} file */
  constructor(file) {
    this.functions = instance ??= load();
    this.file = FILE;
    this.fileEnd = FILE + file.length;
    /** Where the segment ends that is read. */
    this.buffer = Math.ceil((this.fileEnd + file.length + SPARE_BYTES) / 8) * 8;
    this.end = this.buffer + 8;
    this.bytes = this.#grown();
    this.bytes.set(file, FILE);
    this.functions.reset();
  }

  /**
   * Takes memory, all zeros, and gives its place.
   * @param {number} length
   */
  take(length) {
    const place = this.end;
    this.end += Math.ceil(length / 8) * 8;
    this.bytes = this.#grown();
    this.bytes.fill(0, place, this.end);
    return place;
  }

  /** The place of a table: of DC, of AC where `isAc`. @param {number} table @param {boolean} isAc */
  codes(table, isAc) {
    const index = table >= TABLES ? EMPTY_TABLE : table + (isAc ? TABLES : 0);
    return CODES + index * CODES_BYTES;
  }

  /** @param {number} part @param {readonly number[]} fields - in the order of scans.as */
  setPart(part, fields) {
    new Uint32Array(this.bytes.buffer, PARTS + part * PART_BYTES, fields.length).set(fields);
  }

  /** The picture is done. */
  close() {
    if (this.bytes.length > MOST_KEPT) instance = undefined;
  }

  #grown() {
    const { memory } = this.functions;
    const lack = this.end - memory.buffer.byteLength;
    if (lack > 0) memory.grow(Math.ceil(lack / PAGE));
    return new Uint8Array(memory.buffer);
  }
}

function load() {
  const { WebAssembly } = /** @type {{ WebAssembly?: Engine }} */ (/** @type {unknown} */ (globalThis));
  if (!WebAssembly)
    throw new Error('this Node runs without WebAssembly, which the scans of a JPEG are checked by');
  compiled ??= new WebAssembly.Module(readFileSync(new URL('scans.wasm', import.meta.url)));
  return new WebAssembly.Instance(compiled).exports;
}
