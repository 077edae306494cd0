"use client";
import { useEffect } from "react";
import { app } from "../../app.js";

export default function Page() {
  useEffect(() => {
    app(["memory", "indexeddb", "opfs"]).then(
      (said) => (document.title = said),
      (error) => (document.title = `failed: ${error.code} ${error.message}`),
    );
  }, []);
  return <p>A database is opened in each storage.</p>;
}
