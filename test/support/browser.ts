import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
import { createRunnerHandler, toNodeListener, type RunnerHandlerOptions } from '../../src/http/index.js';
import { PackageValidator } from '../../src/index.js';
import { atEndOfFile } from './end-of-file.js';
import { openStation } from './station.js';

/** Debian's package; set CHROMIUM to another. */
const executable = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const isBrowserThere = existsSync(executable);
/** Stands in the title of a test that is skipped. */
export const whyNoBrowser = isBrowserThere ? '' : ` (skipped: there is no ${executable})`;

/** What is waited for in a browser comes when it comes. */
export const PATIENCE = { timeout: 60_000 };

/** A phone, a tablet, and the screen of a line. */
export const SIZES = [
  { width: 390, height: 844 },
  { width: 768, height: 1024 },
  { width: 1920, height: 1080 },
];

let browser: Promise<Browser> | undefined;

/** One browser for a test file: it takes a second to start. */
function browserOfFile(): Promise<Browser> {
  if (!browser) {
    browser = chromium.launch({
      executablePath: executable,
      args: [
        ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage'],
        ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
      ],
    });
    atEndOfFile.push(async () => {
      await (await browser)?.close();
    });
  }
  return browser;
}

/** Opens a page; nothing may be thrown in it, and it may ask nobody but the server. */
export async function openPage(url: string, o: BrowserContextOptions = {}): Promise<Page> {
  const context = await (await browserOfFile()).newContext({ viewport: SIZES[2], locale: 'en', ...o });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    // What the server refuses, or does not answer while it is away, the browser writes here by itself.
    if (message.type() === 'error' && !message.text().includes('Failed to load resource'))
      faults.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('blob:')) faults.push(request.url());
  });
  onTestFinished(async () => {
    await context.close();
    expect(faults).toEqual([]);
  });
  await page.goto(url);
  return page;
}

/** Brings axe into a page. */
export async function loadAxe(page: Page): Promise<void> {
  await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core'), 'utf8'));
}

/** The part of an answer of axe that is read. */
interface AxeResults {
  violations: { id: string; impact: string; nodes: { html: string; failureSummary?: string }[] }[];
}

/** What axe finds that is serious, by its rule and place. */
export async function faultsOf(page: Page): Promise<string[]> {
  const { violations } = await page.evaluate<AxeResults>(
    'axe.run(document, { resultTypes: ["violations"] })',
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary ?? ''}`),
    );
}

/** A station with its page at an address; `down` and `up` take the server away and bring it back at the same one. */
export async function servedStation(
  options: Partial<RunnerHandlerOptions> = {},
  around: (handle: (request: Request) => Promise<Response>) => typeof handle = (handle) => handle,
) {
  const station = await openStation();
  const { registry, deployer, supervisor } = station;
  const validator = new PackageValidator();
  const parts = { registry, deployer, supervisor, validator };
  const handle = around(createRunnerHandler({ ...parts, page: true, authorize: () => true, ...options }));
  let server: Server | undefined;
  let port = 0;
  const up = async () => {
    const opened = (server = createServer(toNodeListener(handle)));
    await new Promise<void>((resolve, reject) => {
      opened.once('error', reject);
      opened.listen(port, '127.0.0.1', resolve);
    });
    ({ port } = opened.address() as AddressInfo);
  };
  const down = async () => {
    const closed = new Promise((resolve) => server?.close(resolve));
    server?.closeAllConnections();
    await closed;
  };
  await up();
  onTestFinished(down);
  return { ...station, url: `http://127.0.0.1:${port}/`, up, down };
}
