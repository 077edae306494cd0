import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Greenhouse } from "./greenhouse.jsx";

createRoot(document.getElementById("app")).render(
  <StrictMode>
    <Greenhouse />
  </StrictMode>,
);
