// The picture within another page: what has to be written there, and the way from there to the whole page.

import { useState } from "preact/hooks";
import type { Player } from "./player";

export function Embed({ player }: { player: Player }) {
  const [code, setCode] = useState("");
  const [told, setTold] = useState("");
  // The address follows the picture a moment later.
  player.beat.value;
  if (player.embedded) {
    return (
      <a class="link" href={wholeOf(location.hash)} target="_blank" rel="noopener">
        Open all of it in Sandglass
      </a>
    );
  }
  const show = async () => {
    const text = frameOf(location.href);
    setCode(text);
    setTold("Put this into a page:");
    try {
      await navigator.clipboard.writeText(text);
      setTold("Copied. Put this into a page:");
    } catch {
      // It stands there to be copied by hand.
    }
  };
  return (
    <>
      <button type="button" class="link" onClick={() => void show()}>
        Embed this
      </button>
      <span class="note" role="status">
        {told}
      </span>
      {code !== "" && (
        <input
          type="text"
          readOnly
          value={code}
          aria-label="To be put into a page"
          style={{ flex: "1 1 24rem", minWidth: 0 }}
          onFocus={(event) => event.currentTarget.select()}
        />
      )}
    </>
  );
}

/** The same instant, shown within another page: the picture and its controls alone. */
export function frameOf(address: string): string {
  const src = `${address}${address.includes("?") ? "&" : "?"}embed`.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  return `<iframe src="${src}" title="A storage engine at work" width="800" height="720"></iframe>`;
}

/** The address without its being embedded. */
export function wholeOf(hash: string): string {
  const [path, query = ""] = hash.split(/\?(.*)/s);
  const kept = query.split("&").filter((pair) => pair !== "" && !/^embed(=|$)/.test(pair));
  return kept.length > 0 ? `${path}?${kept.join("&")}` : `${path}`;
}
