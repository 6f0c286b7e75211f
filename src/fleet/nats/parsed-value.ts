/** JSON of a message. What is none becomes the text that it is: its validation refuses it with a reason. */
export function parsedValue(data: Uint8Array): unknown {
  const text = new TextDecoder().decode(data);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
