-- | Writes user messages into its eventlog, more than a FIFO holds if there are many, and says when it is done.
--
-- > chatter MESSAGES
module Main (main) where

import Control.Monad (forM_)
import Debug.Trace (traceEventIO)
import System.Environment (getArgs)

main :: IO ()
main = do
  arguments <- getArgs
  let messages = case arguments of { n : _ -> read n; [] -> 100 } :: Int
  forM_ [1 .. messages] $ \i -> traceEventIO ("message " ++ show i ++ replicate 100 '.')
  putStrLn ("chatter: " ++ show (sum [1 .. toInteger messages]))
