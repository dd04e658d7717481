{-# LANGUAGE ForeignFunctionInterface #-}
-- | A program with something to see in its eventlog: it allocates maps and lists, leaks and lets go of the leak now and
-- then, labels its threads, and writes markers and messages.
--
-- > oddball [SECONDS] [SCALE]      0 seconds: until it is killed
module Main (main) where

import Control.Concurrent
import Control.Exception (evaluate)
import Control.Monad
import Data.IORef
import qualified Data.Map.Strict as Map
import Debug.Trace (traceEventIO, traceMarkerIO)
import Foreign.C.Types ()
import GHC.Conc (labelThread)
import System.Environment (getArgs)
import System.IO

-- Safe: it may wait for a client, and that client's thread calls back into the run-time system.
foreign import ccall safe "eventlog_socket_start" eventlogSocketStart :: IO ()

data Leak = Leak !Int [Integer]

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  arguments <- getArgs
  let seconds = case arguments of { s : _ -> read s; [] -> 0 } :: Double
      scale = case arguments of { _ : n : _ -> read n; _ -> 2000 } :: Int
  eventlogSocketStart
  putStrLn "oddball: started"
  leak <- newIORef []
  done <- newEmptyMVar
  noise <- forkIO (forever (threadDelay 20000 >> traceEventIO "noise, a thread of its own"))
  labelThread noise "noise \955"
  worker <- forkIO (work scale leak 0)
  labelThread worker "worker"
  void . forkIO $ threadDelay (if seconds > 0 then round (seconds * 1e6) else maxBound) >> putMVar done ()
  takeMVar done
  traceMarkerIO "end"
  kept <- readIORef leak
  putStrLn ("oddball: ended with " ++ show (sum [n | Leak n _ <- kept]))

-- | One round a tenth of a second, most of it busy: censuses come only while Haskell code runs.
work :: Int -> IORef [Leak] -> Int -> IO ()
work scale leak n = do
  traceMarkerIO ("round " ++ show n)
  let numbers = [fromIntegral i * 2 ^ (70 :: Int) | i <- [1 .. scale + n `mod` 5 * scale]] :: [Integer]
      table = Map.fromList (zip [n ..] numbers)
  total <- evaluate (sum numbers `mod` 1000007)
  size <- evaluate (Map.size table)
  modifyIORef' leak (Leak size numbers :)
  when (n `mod` 20 == 19) (writeIORef leak [] >> traceEventIO "the leak is let go")
  when (n `mod` 10 == 0) (traceEventIO ("total " ++ show total))
  burn (20000 * 20)
  threadDelay 30000
  evaluate (Map.foldl' (+) 0 table) >>= \checked -> when (checked < 0) (print checked)
  work scale leak (n + 1)

-- | Time in Haskell code that allocates.
burn :: Int -> IO ()
burn n = void (evaluate (length (show (product [1 .. fromIntegral (n `div` 400) :: Integer]))))
