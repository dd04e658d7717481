-- The peer: Debian's ghc-events library, adding up residency by label over all censuses of a log.
module Main (main) where

import qualified Data.ByteString as B
import qualified Data.Map.Strict as M
import Data.Text (Text)
import GHC.RTS.Events
import GHC.RTS.Events.Incremental
import System.Environment (getArgs)
import System.IO

type Totals = M.Map Text Integer

add :: Totals -> Event -> Totals
add totals event = case evSpec event of
  HeapProfSampleString {heapProfLabel = label, heapProfResidency = bytes} ->
    M.insertWith (+) label (fromIntegral bytes) totals
  _ -> totals

run :: Handle -> Decoder Event -> Totals -> IO Totals
run handle decoder totals = case decoder of
  Produce event next -> let more = add totals event in more `seq` run handle next more
  Consume more -> B.hGetSome handle 65536 >>= \bytes ->
    if B.null bytes then return totals else run handle (more bytes) totals
  Done _ -> return totals
  Error _ _ -> return totals

main :: IO ()
main = do
  [path] <- getArgs
  handle <- openBinaryFile path ReadMode
  totals <- run handle decodeEventLog M.empty
  print (M.size totals, sum (M.elems totals))
